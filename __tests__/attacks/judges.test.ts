import {describe, expect, test} from '@jest/globals';

import {reachOf, sameOwner} from '../../src/registry/address.ts';
import {judgeAddress, judgeLocation, judgeRedirect} from '../../src/registry/redirect.ts';

describe('V3 how far an address reaches', () => {
  test.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['::ffff:8.8.8.8', 'public'],
    ['10.1.2.3', 'private'],
    ['172.16.0.1', 'private'],
    ['192.168.1.1', 'private'],
    ['127.0.0.1', 'private'],
    ['127.9.9.9', 'private'],
    ['::1', 'private'],
    ['fd12:3456::1', 'private'],
    ['100.64.0.1', 'private'],
    ['169.254.169.254', 'never'],
    ['::ffff:169.254.169.254', 'never'],
    ['::ffff:a9fe:a9fe', 'never'],
    ['169.254.170.2', 'never'],
    ['fe80::1', 'never'],
    ['fd00:ec2::254', 'never'],
    ['100.100.100.200', 'never'],
    ['0.0.0.0', 'never'],
    ['::', 'never'],
    ['224.0.0.1', 'never'],
    ['255.255.255.255', 'never'],
    ['ff02::1', 'never'],
    ['64:ff9b::a9fe:a9fe', 'never'],
    ['2002:a9fe:a9fe::1', 'never'],
    ['not an address', 'never']
  ])('%s: %s', (address, reach) => {
    expect(reachOf(address)).toBe(reach);
  });
});

describe('V2 who owns a host', () => {
  test.each([
    ['registry-1.docker.io', 'auth.docker.io', true],
    ['myregistry.azurecr.io', 'myregistry.azurecr.io', true],
    ['mine.azurecr.io', 'yours.azurecr.io', false],
    ['a.github.io', 'b.github.io', false],
    ['registry.example.co.uk', 'auth.example.co.uk', true],
    ['registry.example.co.uk', 'auth.other.co.uk', false],
    ['127.0.0.1', '127.0.0.2', false],
    ['10.0.0.1', '10.0.0.1', true],
    ['docker.io', 'evil-docker.io', false]
  ])('%s and %s: %s', (one, other, same) => {
    expect(sameOwner(one, other)).toBe(same);
  });
});

describe('V5 where a redirect may lead', () => {
  const secure = new URL('https://registry.example/v2/a/blobs/x');
  const plain = new URL('http://registry.example/v2/a/blobs/x');

  test.each([
    ['https://cdn.example/x?sig=1', secure, 'https://cdn.example/x?sig=1'],
    ['/y', secure, 'https://registry.example/y'],
    ['y', secure, 'https://registry.example/v2/a/blobs/y'],
    ['//cdn.example/z', secure, 'https://cdn.example/z'],
    ['http://cdn.example/x', plain, 'http://cdn.example/x'],
    ['https://cdn.example/x', plain, 'https://cdn.example/x']
  ])('%s', (to, from, url) => {
    expect(judgeRedirect(to, from).href).toBe(url);
  });

  test.each([
    [undefined, /to nowhere/],
    ['http://[', /to nowhere/],
    ['http://cdn.example/x', /not https/],
    ['http://registry.example/x', /not https/],
    ['ftp://cdn.example/x', /not https/],
    ['file:///etc/passwd', /not https/],
    ['https://user:secret@cdn.example/x', /user name/]
  ])('not %s', (to, rule) => {
    let message = '';
    try {
      judgeRedirect(to, secure);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(rule);
    expect(message).not.toContain('secret');
  });
});

describe('V4 where an upload may go on', () => {
  const request = new URL('https://registry.example:5000/v2/a/blobs/uploads/');

  test.each([
    ['/v2/a/blobs/uploads/1?_state=a%2Bb', '/v2/a/blobs/uploads/1?_state=a%2Bb'],
    ['https://registry.example:5000/x?y', '/x?y'],
    ['http://registry.example:5000/x', '/x'],
    ['http://registry.example/x', '/x'],
    ['https://registry.example/x', '/x']
  ])('%s', (location, path) => {
    // Nothing but the path of it is ever taken, so that nothing can be sent elsewhere or in clear.
    const {href} = judgeLocation(location, request);
    expect(href).toBe(`https://registry.example:5000${path}`);
  });

  test('not another port', () => {
    expect(() => judgeLocation('https://registry.example:5001/x', request)).toThrow(/another port/);
  });

  test.each([
    'https://evil.example/x',
    'https://registry.example.evil.example/x',
    'https://x@evil.example/',
    '',
    undefined,
    'http://['
  ])('not %s', location => {
    expect(() => judgeLocation(location, request)).toThrow(
      /another host|did not say where it goes on/
    );
  });
});

describe('V3 which addresses a registry may name', () => {
  const outside = judgeAddress('registry.example', ['93.184.216.34']);
  const inside = judgeAddress('registry.corp', ['10.0.0.5']);
  const both = judgeAddress('registry.example', ['93.184.216.34', '10.0.0.5']);
  const unknown = judgeAddress('registry.example', []);

  const refused = (judge: (address: string) => void, addresses: readonly string[]) =>
    addresses.filter(address => {
      try {
        judge(address);
        return false;
      } catch (error) {
        return (error as Error).message.includes('no business');
      }
    });
  const never = ['169.254.169.254', 'fd00:ec2::254', '0.0.0.0', '::ffff:169.254.169.254'];
  const near = ['10.0.0.1', '127.0.0.1', '::1'];

  test('a public registry only public ones', () => {
    for (const judge of [outside, unknown, both])
      expect(refused(judge, ['8.8.8.8', ...near, ...never])).toEqual([...near, ...never]);
  });

  test('a private one those of its network, but never the metadata services', () => {
    expect(refused(inside, ['8.8.8.8', ...near, ...never])).toEqual(never);
  });
});
