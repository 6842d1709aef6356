import type {ReleaseResult} from '../mirror/result.ts';
import {within} from '../oci/reference.ts';
import {imageSet} from '../release/catalog.ts';
import type {Companions} from '../release/companions.ts';
import {type Support, supportOf} from '../release/support.ts';
import {parseReleaseTag} from '../release/tag.ts';

import {ReportError} from './error.ts';
import {plural} from './lines.ts';
import {code, details, fence} from './markdown.ts';
import type {RunRecord} from './record.ts';
import {place, published} from './verdict.ts';

/** What the data controller's settings need after a mirror, as data. */
export interface HandOver {
  /** The newest release that was published: all of it that was asked for. */
  readonly release: string;
  /** The order in which to upgrade, one step a release. */
  readonly upgradeOrder: readonly string[];
  /** `spec.docker` of the data controller. */
  readonly docker: {
    readonly registry: string;
    readonly repository: string;
    readonly imageTag: string;
    readonly imagePullPolicy: 'Always';
  };
  /** The pull secret's usual name. */
  readonly pullSecret: 'arc-private-registry';
  /** The full reference of arc-bootstrapper, by tag; absent when it was not mirrored. */
  readonly bootstrapper?: string;
  /** Settings of the cluster extension, direct mode. */
  readonly extension: Readonly<Record<string, string>>;
  /** What the CLI reads from its environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly configReplace: readonly string[];
  readonly upgrade: readonly string[];
  readonly cli?: string;
  readonly chart?: string;
  /** The last day on which the release is supported, `yyyy-mm-dd`. */
  readonly supportedThrough?: string;
  /** What the reader should look at before going on. */
  readonly warnings: readonly string[];
}

/** The hand-over in its three dresses. */
export interface HandOverTexts {
  readonly json: HandOver;
  /** To be put into a job summary: headings and blocks to paste; the warnings are left to it. */
  readonly markdown: string;
  /** To be put on a terminal. */
  readonly text: string;
}

// What may stand in a line that is pasted into a shell or a yaml file: no more than these names need.
const pasteable = {
  registry: /^[\w[][\w.:[\]-]*$/,
  repository: /^[a-z0-9][a-z0-9._/-]*$/,
  tag: /^\w[\w.-]*$/
};

/**
 * What to do with the releases that a run published: nothing (undefined) when it published none.
 * @param today decides on the end of support
 * @throws ReportError when a name could not be pasted safely
 */
export function handOver(
  record: RunRecord,
  today: Date,
  companions: (tag: string) => Companions | undefined
): HandOverTexts | undefined {
  const releases = published(record);
  const newest = releases.at(-1);
  if (newest === undefined) return undefined;
  const {registry, repository} = record.target;
  const {tag, targetTag} = newest;
  const tags = releases.flatMap(release => [release.tag, release.targetTag]);
  if (
    !pasteable.registry.test(registry) ||
    !pasteable.repository.test(repository) ||
    !tags.every(name => pasteable.tag.test(name))
  ) {
    throw new ReportError(
      'a registry, repository or tag has a character that is not safe to paste'
    );
  }
  const bootstrapper = newest.images.some(({name}) => name === 'arc-bootstrapper')
    ? `${registry}/${within(repository, 'arc-bootstrapper')}:${targetTag}`
    : undefined;
  const docker = {registry, repository, imageTag: targetTag, imagePullPolicy: 'Always'} as const;
  const {cli, chart} = companions(tag) ?? {};
  const support = supportOf(tag, today);
  const json: HandOver = {
    release: tag,
    upgradeOrder: releases.map(release => release.targetTag),
    docker,
    pullSecret: 'arc-private-registry',
    ...(bootstrapper !== undefined && {bootstrapper}),
    extension: {
      'imageCredentials.registry': registry,
      ...(bootstrapper !== undefined && {'systemDefaultValues.image': bootstrapper})
    },
    environment: {
      DOCKER_REGISTRY: registry,
      DOCKER_REPOSITORY: repository,
      DOCKER_IMAGE_TAG: targetTag
    },
    configReplace: Object.entries(docker).map(
      ([key, value]) =>
        `az arcdata dc config replace --path ./custom/control.json --json-values "spec.docker.${key}=${value}"`
    ),
    upgrade: releases.map(
      release =>
        `az arcdata dc upgrade --desired-version ${release.targetTag} --name <data-controller> --resource-group <resource-group>`
    ),
    ...(cli !== undefined && {cli}),
    ...(chart !== undefined && {chart}),
    ...(support && {supportedThrough: support.lastDay}),
    warnings: [
      ...supportWarnings(tag, support),
      ...gaps(releases.map(release => release.tag)),
      ...(record.partly === true ? leftOut(newest) : [])
    ]
  };
  const blocks = blocksOf(json);
  return {
    json,
    markdown: markdownOf(json, blocks),
    text: textOf(json, blocks, place(record.target))
  };
}

interface Block {
  readonly title: string;
  readonly language: 'shell' | 'yaml' | 'text';
  readonly lines: readonly string[];
  /** Whether a summary folds it away, since few need it. */
  readonly aside?: boolean;
}

function blocksOf(json: HandOver): Block[] {
  const {docker, bootstrapper, extension, environment, upgrade, configReplace} = json;
  const steps =
    upgrade.length > 1
      ? `Upgrade, in this order: the data controller, then its instances, before the next release`
      : 'Upgrade the data controller, then its instances; always say the version';
  return [
    {
      title: 'spec.docker of the data controller',
      language: 'yaml',
      lines: [
        'spec:',
        '  docker:',
        ...Object.entries(docker).map(([key, value]) => `    ${key}: "${value}"`)
      ]
    },
    {title: 'The same by command', language: 'shell', lines: configReplace, aside: true},
    ...(bootstrapper === undefined
      ? []
      : [
          {
            title:
              'bootstrapper.yaml and the upgrade job, in two places each (image: and after -image)',
            language: 'text',
            lines: [bootstrapper],
            aside: true
          } as const
        ]),
    {
      title: 'Cluster extension, direct mode',
      language: 'text',
      lines: Object.entries(extension).map(([key, value]) => `--config ${key}=${value}`),
      aside: true
    },
    {
      title: 'Environment of the arcdata CLI',
      language: 'shell',
      lines: Object.entries(environment).map(([key, value]) => `export ${key}="${value}"`),
      aside: true
    },
    {title: steps, language: 'shell', lines: upgrade}
  ];
}

function facts({cli, chart, supportedThrough, pullSecret}: HandOver): string[] {
  return [
    ...(cli === undefined ? [] : [`arcdata CLI ${cli}`]),
    ...(chart === undefined ? [] : [`chart ${chart}`]),
    ...(supportedThrough === undefined ? [] : [`supported through ${supportedThrough}`]),
    `pull secret ${pullSecret}`
  ];
}

function markdownOf(json: HandOver, blocks: readonly Block[]): string {
  const texts = (aside: boolean) =>
    blocks
      .filter(block => (block.aside ?? false) === aside)
      .map(({title, language, lines}) => `${title}:\n\n${fence(lines, language)}`)
      .join('\n\n');
  return [
    `#### Hand-over`,
    `Release ${code(json.release)}: ${facts(json).join(', ')}.`,
    texts(false),
    details('More to paste', texts(true), false)
  ].join('\n\n');
}

function textOf(json: HandOver, blocks: readonly Block[], target: string): string {
  return [
    `Release ${json.release} at ${target}: ${facts(json).join(', ')}`,
    ...json.warnings.map(warning => `Note: ${warning}`),
    ...blocks.flatMap(({title, lines}) => ['', `${title}:`, ...lines.map(line => `  ${line}`)])
  ].join('\n');
}

function supportWarnings(tag: string, support: Support | undefined): string[] {
  switch (support?.state) {
    case 'ended':
      return [`Support of ${tag} ended on ${support.lastDay}; mirror a newer release.`];
    case 'near-end':
      return [
        `Support of ${tag} ends on ${support.lastDay}, in ${plural(support.daysLeft, 'day')}; plan the next release.`
      ];
    default:
      return [];
  }
}

/**
 * Upgrades go to the next minor version only, so a hole in what was mirrored is worth a word.
 * @see https://learn.microsoft.com/azure/azure-arc/data/upgrade-overview#upgrade-path
 */
function gaps(tags: readonly string[]): string[] {
  return tags.flatMap((tag, i) => {
    const [from, to] = [parseReleaseTag(tags[i - 1] ?? ''), parseReleaseTag(tag)];
    const apart = from && to?.major === from.major ? to.minor - from.minor : 0;
    if (apart < 2) return [];
    return [
      `This run brought no release between ${tags[i - 1] ?? ''} and ${tag}; an upgrade needs every minor version in between.`
    ];
  });
}

/** What is handed over is no more than was asked for: the rest has to be there from elsewhere. */
function leftOut({tag, targetTag, images}: ReleaseResult): string[] {
  const left = imageSet(tag)
    .filter(({name, role}) => role === 'core' && !images.some(image => image.name === name))
    .map(({name}) => name);
  return left.length === 0
    ? []
    : [
        `This run mirrored a part of ${tag}, as images says: Arc runs from it only where ${left.join(', ')} stand there under ${targetTag} too.`
      ];
}
