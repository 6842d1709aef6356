import {describe, expect, test} from '@jest/globals';

import {logFindings, summaryFindings} from '../support/oracle-injection.ts';
import {parseCommand, parseFileCommand} from '../support/runner.ts';

describe("the runner's file format", () => {
  test.each([
    ['a=1\n', {a: '1'}],
    ['a=1\n\nb=2', {a: '1', b: '2'}],
    ['a=b<<c\n', {a: 'b<<c'}],
    ['a<<E\none\n\ntwo=2\nE\n', {a: 'one\n\ntwo=2'}],
    ['a<<E\nE\n', {a: ''}],
    ['a<<E=F\nx\nE=F\n', {a: 'x'}],
    ['a=\n', {a: ''}],
    ['a=1\na=2\nA=3\n', {a: '3'}],
    ['a=1\r\n', {a: '1\r'}]
  ])('%j', (text, values) => {
    expect(Object.fromEntries(parseFileCommand(text))).toEqual(values);
  });

  test.each(['a\n', '=1\n', '<<E\nE\n', 'a<<\n\n', 'a<<E\nx\n', 'a<<E\nE \n'])(
    '%j fails the step',
    text => {
      expect(() => parseFileCommand(text)).toThrow(/Invalid format|Matching delimiter/);
    }
  );
});

describe("the runner's commands", () => {
  test.each([
    ['::error::x', {name: 'error', properties: {}, data: 'x', version: 2}],
    [
      '  ::Error title=a%3Ab%2C,file=c::d%0Ae%253A',
      {name: 'error', properties: {title: 'a:b,', file: 'c'}, data: 'd\ne%3A', version: 2}
    ],
    [
      'before ##[set-output name=a;b=c]d',
      {name: 'set-output', properties: {name: 'a', b: 'c'}, data: 'd', version: 1}
    ]
  ])('%j', (line, command) => {
    expect(parseCommand(line)).toEqual(command);
  });

  test.each(['x ::error::y', '::unknown::y', ': :error::y', '## [error]y', '##[error', '::error'])(
    '%j is text',
    line => {
      expect(parseCommand(line)).toBeUndefined();
    }
  );
});

describe('the oracle can say no', () => {
  test.each([
    '::set-output name=a::b',
    '\u0085::stop-commands::x',
    'text ##[error]x',
    '::add-mask::not ours',
    'a\rb',
    '\u001b[31mred',
    '::error::a%0D',
    '::error title=a%0Ab::c',
    '::error::first%0A::error::second'
  ])('to the log %j', log => {
    expect(logFindings(log)).not.toEqual([]);
  });

  test.each([
    '<img src=x>',
    '<code>a',
    '[a](b)',
    'https://evil.example',
    '```\nopen',
    '| a | b |\n| c |',
    '<!-- x',
    'a\u202eb',
    '::error::x'
  ])('to the summary %j', text => {
    expect(summaryFindings(text)).not.toEqual([]);
  });

  test('and yes to what is ours', () => {
    expect(logFindings('::group::a\nplain\n::endgroup::\n::add-mask::b', ['b'])).toEqual([]);
    expect(summaryFindings('<details open><summary>a</summary>\n\n`b`\n\n</details>')).toEqual([]);
  });
});
