import {describe, expect, test} from '@jest/globals';

import type {RegistryName} from '../../src/oci/reference.ts';
import {imageSet} from '../../src/release/catalog.ts';
import {handOver} from '../../src/report/handover.ts';
import {aRecord, aRelease, anImage} from '../support/records.ts';

const may = new Date('2026-05-14T06:00:00Z');
const companions = () => ({cli: '1.5.31', chart: '1.46.0'});

describe('the hand-over', () => {
  const record = aRecord([aRelease('v1.46.0_2026-05-12')]);

  test('names every setting of the release', () => {
    expect(handOver(record, may, companions)?.json).toEqual({
      release: 'v1.46.0_2026-05-12',
      upgradeOrder: ['v1.46.0_2026-05-12'],
      docker: {
        registry: 'myregistry.azurecr.io',
        repository: 'mirror/arcdata',
        imageTag: 'v1.46.0_2026-05-12',
        imagePullPolicy: 'Always'
      },
      pullSecret: 'arc-private-registry',
      bootstrapper: 'myregistry.azurecr.io/mirror/arcdata/arc-bootstrapper:v1.46.0_2026-05-12',
      extension: {
        'imageCredentials.registry': 'myregistry.azurecr.io',
        'systemDefaultValues.image':
          'myregistry.azurecr.io/mirror/arcdata/arc-bootstrapper:v1.46.0_2026-05-12'
      },
      environment: {
        DOCKER_REGISTRY: 'myregistry.azurecr.io',
        DOCKER_REPOSITORY: 'mirror/arcdata',
        DOCKER_IMAGE_TAG: 'v1.46.0_2026-05-12'
      },
      configReplace: [
        'az arcdata dc config replace --path ./custom/control.json --json-values "spec.docker.registry=myregistry.azurecr.io"',
        'az arcdata dc config replace --path ./custom/control.json --json-values "spec.docker.repository=mirror/arcdata"',
        'az arcdata dc config replace --path ./custom/control.json --json-values "spec.docker.imageTag=v1.46.0_2026-05-12"',
        'az arcdata dc config replace --path ./custom/control.json --json-values "spec.docker.imagePullPolicy=Always"'
      ],
      upgrade: [
        'az arcdata dc upgrade --desired-version v1.46.0_2026-05-12 --name <data-controller> --resource-group <resource-group>'
      ],
      cli: '1.5.31',
      chart: '1.46.0',
      supportedThrough: '2027-05-11',
      warnings: []
    });
  });

  test('says the same in Markdown and in plain text', () => {
    const next = handOver(record, may, companions);
    for (const line of [...(next?.json.configReplace ?? []), ...(next?.json.upgrade ?? [])]) {
      expect(next?.markdown.split('\n')).toContain(line);
      expect(next?.text.split('\n')).toContain(`  ${line}`);
    }
    expect(next?.markdown).toContain('    imageTag: "v1.46.0_2026-05-12"');
    expect(next?.markdown).toContain('two places each (image: and after -image)');
    expect(next?.text).toContain('arcdata CLI 1.5.31, chart 1.46.0, supported through 2027-05-11');
  });

  test('invents no version that is not known', () => {
    const json = handOver(record, may, () => undefined)?.json;
    expect(json).not.toHaveProperty('cli');
    expect(json).not.toHaveProperty('chart');
  });

  test('names no bootstrapper that was not mirrored', () => {
    const tag = 'v1.46.0_2026-05-12';
    const alone = aRelease(tag, 'copied', {images: [anImage(tag, 'arc-dns')]});
    const next = handOver(aRecord([alone]), may, companions);
    expect(next?.json).not.toHaveProperty('bootstrapper');
    expect(next?.json.extension).toEqual({'imageCredentials.registry': 'myregistry.azurecr.io'});
    expect(next?.markdown).not.toContain('arc-bootstrapper');
  });

  test('uses the tag at the target', () => {
    const release = aRelease('v1.46.0_2026-05-12', 'copied', {targetTag: 'approved'});
    expect(handOver(aRecord([release]), may, companions)?.json).toMatchObject({
      docker: {imageTag: 'approved'},
      supportedThrough: '2027-05-11'
    });
  });

  test('several releases give the order of upgrades; a hole is told', () => {
    const tags = ['v1.42.0_2025-10-14', 'v1.44.0_2026-02-10', 'v1.45.0_2026-04-14'];
    const next = handOver(aRecord(tags.map(tag => aRelease(tag))), may, companions);
    expect(next?.json.upgradeOrder).toEqual(tags);
    expect(next?.json.docker.imageTag).toBe('v1.45.0_2026-04-14');
    expect(next?.json.warnings).toEqual([
      'This run brought no release between v1.42.0_2025-10-14 and v1.44.0_2026-02-10; an upgrade needs every minor version in between.'
    ]);
    expect(next?.text).toMatch(/in this order.*:\n.*v1\.42.*\n.*v1\.44.*\n.*v1\.45/);
  });

  test('between two major versions nobody knows what is missing, so no hole is told', () => {
    const tags = ['v1.46.0_2026-05-12', 'v2.49.0_2026-08-11'];
    const next = handOver(aRecord(tags.map(tag => aRelease(tag))), may, companions);
    expect(next?.json.upgradeOrder).toEqual(tags);
    expect(next?.json.warnings.filter(warning => warning.includes('between'))).toEqual([]);
  });

  test('a part of a release is told as one, as long as something of it is left out', () => {
    const tag = 'v1.46.0_2026-05-12';
    const core = imageSet(tag).flatMap(({name, role}) => (role === 'core' ? [name] : []));
    const of = (names: readonly string[]) =>
      handOver(
        aRecord([aRelease(tag, 'copied', {images: names.map(name => anImage(tag, name))})], {
          partly: true
        }),
        may,
        companions
      )?.json.warnings;
    expect(of(core)).toEqual([]);
    expect(of(core.filter(name => !['arc-sqlmi', 'arc-bootstrapper'].includes(name)))).toEqual([
      `This run mirrored a part of ${tag}, as images says: Arc runs from it only where arc-bootstrapper, arc-sqlmi stand there under ${tag} too.`
    ]);
  });

  test('only what is whole at the target is handed over', () => {
    const failed = aRelease('v1.46.0_2026-05-12', 'failed');
    const older = aRelease('v1.45.0_2026-04-14', 'present');
    expect(handOver(aRecord([older, failed]), may, companions)?.json).toMatchObject({
      release: 'v1.45.0_2026-04-14',
      upgradeOrder: ['v1.45.0_2026-04-14']
    });
    expect(handOver(aRecord([failed]), may, companions)).toBeUndefined();
    expect(handOver(aRecord([]), may, companions)).toBeUndefined();
    expect(
      handOver(aRecord([aRelease('v1.46.0_2026-05-12', 'staged')]), may, companions)
    ).toBeUndefined();
  });

  test.each([
    ['2027-03-11T23:59:59Z', []],
    [
      '2027-03-12T00:00:00Z',
      ['Support of v1.46.0_2026-05-12 ends on 2027-05-11, in 60 days; plan the next release.']
    ],
    [
      '2027-05-11T23:59:59Z',
      ['Support of v1.46.0_2026-05-12 ends on 2027-05-11, in 0 days; plan the next release.']
    ],
    [
      '2027-05-12T00:00:00Z',
      ['Support of v1.46.0_2026-05-12 ended on 2027-05-11; mirror a newer release.']
    ]
  ])('on %s it says of the end of support: %j', (today, warnings) => {
    expect(handOver(record, new Date(today), companions)?.json.warnings).toEqual(warnings);
  });

  test.each(['a$(id)', 'a b', 'a"b', 'a;b', 'a\nb', 'a`b', "a'b", 'a&b', 'a%b'])(
    'refuses to print %j into a line that is pasted',
    text => {
      const tagged = aRelease('v1.46.0_2026-05-12', 'copied', {targetTag: text});
      expect(() => handOver(aRecord([tagged]), may, companions)).toThrow('not safe to paste');
      const target = {registry: text as RegistryName, repository: 'arcdata'};
      expect(() => handOver({...record, target}, may, companions)).toThrow('not safe to paste');
    }
  );
});
