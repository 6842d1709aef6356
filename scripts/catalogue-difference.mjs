// What a live source has that the catalogue does not know, and the other way round. No I/O.

const number = '(0|[1-9]\\d{0,5})';
const stable = new RegExp(`^v${number}\\.${number}\\.${number}_(\\d{4})-(\\d{2})-(\\d{2})$`);
const imageName = /^arc-[a-z0-9][a-z0-9._-]*$/;

/** The stable releases among tags, oldest first. */
export function stableTags(tags) {
  return [...new Set(tags)]
    .map(tag => stable.exec(tag))
    .filter(parts => parts !== null)
    .map(([tag, ...numbers]) => ({tag, numbers: numbers.map(Number)}))
    .sort((a, b) => compare(a.numbers, b.numbers))
    .map(({tag}) => tag);
}

/** The names that may be images of Arc, sorted; everything else a registry says is left out. */
export function imageNames(names) {
  return [...new Set(names)].filter(name => imageName.test(name)).sort();
}

/** The names that the catalogue has in its newest set, sorted. */
export function currentNames(entries) {
  const current = entries.filter(({before}) => before === undefined).map(({name}) => name);
  return [...new Set(current)].sort();
}

/**
 * Compares. `releases` are the tags of companions.json, `tags` those of arc-controller at the source,
 * `carrying` the images found under the newest stable tag.
 */
export function difference({entries, releases, tags, carrying}) {
  const live = stableTags(tags);
  const listed = currentNames(entries);
  const found = imageNames(carrying);
  return {
    newest: live.at(-1),
    newReleases: live.filter(tag => !releases.includes(tag)),
    unlisted: found.filter(name => !listed.includes(name)),
    gone: listed.filter(name => !found.includes(name))
  };
}

/** The difference as the text of an issue; empty when there is none. */
export function markdown({newest, newReleases, unlisted, gone}) {
  const parts = [
    section('Releases that companions.json does not have', newReleases, tag => {
      const [, major, minor, patch] = stable.exec(tag);
      return `${code(tag)}: add CLI and chart version from the version log${
        patch === '0' ? ` (the chart should be ${major}.${minor}.0)` : ''
      }`;
    }),
    section(
      `Images under ${code(newest)} that catalogue.json does not list`,
      unlisted,
      name => `${code(name)}: they are mirrored already, where the source has a catalogue; list it`
    ),
    section(
      `Images that catalogue.json lists and ${code(newest)} does not have`,
      gone,
      name => `${code(name)}: give its entry a \`before\``
    )
  ].filter(text => text !== '');
  return parts.join('\n');
}

function section(title, items, line) {
  if (items.length === 0) return '';
  return `## ${title}\n\n${items.map(item => `- ${line(item)}\n`).join('')}`;
}

function code(text) {
  return `\`${text}\``;
}

function compare(a, b) {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at === -1 ? 0 : a[at] - b[at];
}
