import {findChromium} from './chromium.ts';
import {takePictures} from './take.ts';

/** Where the documents look for their pictures. */
export const pictureFolder = 'docs/images';

/** What a command writes to. */
interface Out {
  write(text: string): unknown;
}

/**
 * The command: takes the pictures anew.
 * @param path where the browser is looked for, as PATH has it
 * @returns the exit code
 */
export async function pictures(
  path: string,
  out: Out,
  error: Out,
  folder = pictureFolder,
  scale = 10
): Promise<number> {
  const chromium = findChromium(path);
  if (chromium === undefined) {
    error.write(
      'The pictures are taken with Chromium (or Chrome), and PATH has none: install it, then run this again.\n'
    );
    return 1;
  }
  for (const [name, bytes] of await takePictures({chromium, folder, scale}))
    out.write(`${folder}/${name}  ${bytes} B\n`);
  return 0;
}
