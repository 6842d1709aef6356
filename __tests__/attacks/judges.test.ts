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
    ['fd00:ec2::23', 'never'],
    ['fd00:42::42', 'never'],
    ['fd00:c1::a9fe:a9fe', 'never'],
    ['::a9fe:a9fe', 'never'],
    ['::808:808', 'never'],
    ['fd20:ce::254', 'never'],
    ['100.100.100.200', 'never'],
    ['168.63.129.16', 'never'],
    ['::ffff:168.63.129.16', 'never'],
    ['192.0.0.192', 'never'],
    ['0.0.0.0', 'never'],
    ['::', 'never'],
    ['224.0.0.1', 'never'],
    ['255.255.255.255', 'never'],
    ['ff02::1', 'never'],
    ['64:ff9b::a9fe:a9fe', 'never'],
    ['64:ff9b::a9fe:a902', 'never'],
    ['64:ff9b::a83f:8110', 'never'],
    ['64:ff9b::10.0.0.1', 'never'],
    ['64:ff9b::52.1.2.3', 'public'],
    ['64:ff9b:1::52.1.2.3', 'never'],
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
    ['docker.io', 'evil-docker.io', false],
    ['evil.azurecr.io.', 'mine.azurecr.io', false],
    ['mine.azurecr.io.', 'mine.azurecr.io', true],
    ['evil.westeurope.cloudapp.azure.com', 'mine.westeurope.cloudapp.azure.com', false],
    ['evil.x.westeurope.azurecontainerapps.io', 'mine.y.westeurope.azurecontainerapps.io', false],
    ['evil.hcp.westeurope.azmk8s.io', 'mine.hcp.westeurope.azmk8s.io', false],
    ['evil.vultrcr.com', 'mine.vultrcr.com', false],
    ['evil.tencentcloudcr.com', 'mine.tencentcloudcr.com', false],
    ['evil.c1.gra9.container-registry.ovh.net', 'mine.c1.gra9.container-registry.ovh.net', false],
    ['evil.obs.cn-north-4.myhuaweicloud.com', 'swr.cn-north-4.myhuaweicloud.com', false],
    ['evil.functions.fnc.fr-par.scw.cloud', 'rg.fr-par.scw.cloud', false]
  ])('%s and %s: %s', (one, other, same) => {
    expect(sameOwner(one, other)).toBe(same);
  });

  test.each([
    ['dockerauth.cn-hangzhou.aliyuncs.com', 'registry.cn-hangzhou.aliyuncs.com', true],
    ['dockerauth-vpc.cn-hangzhou.aliyuncs.com', 'registry-vpc.cn-hangzhou.aliyuncs.com', true],
    [
      'dockerauth-ee.ap-southeast-1.aliyuncs.com',
      'a-registry.ap-southeast-1.cr.aliyuncs.com',
      true
    ],
    ['dockerauth-cn-zhangjiakou.aliyuncs.com', 'a-registry.cn-zhangjiakou.cr.aliyuncs.com', true],
    ['dockerauth.cn-shanghai.aliyuncs.com', 'registry.cn-hangzhou.aliyuncs.com', false],
    ['dockerauth.oss-cn-hangzhou.aliyuncs.com', 'registry.cn-hangzhou.aliyuncs.com', false],
    ['evil.cn-hangzhou.fc.aliyuncs.com', 'registry.cn-hangzhou.aliyuncs.com', false],
    ['evil-registry.cn-hangzhou.cr.aliyuncs.com', 'a-registry.cn-hangzhou.cr.aliyuncs.com', false],
    ['api.scaleway.com', 'rg.fr-par.scw.cloud', true],
    ['api.scaleway.com', 'evil.functions.fnc.fr-par.scw.cloud', false]
  ])('a cloud: the token server %s of %s: %s', (server, registry, same) => {
    expect(sameOwner(server, registry)).toBe(same);
  });

  test.each([
    ['gitlab.10.0.0.5.nip.io', 'registry.10.0.0.5.nip.io', true],
    ['auth.10.0.0.5.sslip.io', 'harbor.10.0.0.5.sslip.io', true],
    ['gitlab.10.0.0.6.nip.io', 'registry.10.0.0.5.nip.io', false],
    ['gitlab.10.0.0.5.sslip.io', 'registry.10.0.0.5.nip.io', false],
    // A second address in the name may be the one that it leads to.
    ['6.6.6.6.10.0.0.5.nip.io', 'registry.10.0.0.5.nip.io', false],
    ['6-6-6-6.10.0.0.5.nip.io', 'registry.10.0.0.5.nip.io', false],
    ['a.6.6.6.6.10.0.0.5.nip.io', 'registry.10.0.0.5.nip.io', false],
    ['deadbeef.10.0.0.5.nip.io', 'registry.10.0.0.5.nip.io', false],
    ['dead--beef.10.0.0.5.sslip.io', 'registry.10.0.0.5.sslip.io', false],
    ['evil-203-0-113-5.nip.io', 'mine-10-0-0-5.nip.io', false]
  ])('a name that spells an address: %s and %s: %s', (one, other, same) => {
    expect(sameOwner(one, other)).toBe(same);
    expect(sameOwner(other, one)).toBe(same);
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
  const outside = judgeAddress('registry.example', () => ['93.184.216.34']);
  const inside = judgeAddress('registry.corp', () => ['10.0.0.5']);
  const both = judgeAddress('registry.example', () => ['93.184.216.34', '10.0.0.5']);
  const unknown = judgeAddress('registry.example', () => []);

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
