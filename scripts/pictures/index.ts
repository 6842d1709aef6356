// Takes the pictures of the documents anew, from runs of the real code: npm run pictures
import {pictures} from './command.ts';

process.exitCode = await pictures(process.env.PATH ?? '', process.stdout, process.stderr);
