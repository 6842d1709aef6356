import type {Outcome} from './bench.ts';
import type {Sample} from './figures.ts';
import {us} from './series.ts';

// Colours that can be read on white and on black.
const colours = {ours: '#2f81f7', floor: '#8b949e', peer: '#c9a26d'};
const width = 760;
const label = 130;
const barHeight = 16;
const gap = 6;
const headHeight = 34;

/** The times of every situation as bars, one panel each, each with a scale of its own. */
export function plot(outcomes: readonly Outcome[], titleOf: (outcome: Outcome) => string): string {
  let top = 8;
  const panels = outcomes
    .filter(({samples}) => samples.length > 1)
    .map(outcome => {
      const sorted = [...outcome.samples].sort((one, other) => one.wall - other.wall);
      const panel = `<g transform="translate(0 ${top})">${panelOf(titleOf(outcome), sorted)}</g>`;
      top += headHeight + sorted.length * (barHeight + gap) + 10;
      return panel;
    });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top}" width="${width}" height="${top}" role="img" aria-label="Seconds of each tool in each situation; shorter is better">`,
    '<style>',
    'text { font: 12px system-ui, sans-serif; fill: #24292f; }',
    '.head { font-weight: 600; }',
    '@media (prefers-color-scheme: dark) { text { fill: #d0d7de; } }',
    '</style>',
    ...panels,
    '</svg>',
    ''
  ].join('\n');
}

function panelOf(title: string, samples: readonly Sample[]): string {
  const longest = Math.max(...samples.map(({wall}) => wall));
  const base = samples.find(({tool}) => tool === us)?.wall;
  const bars = samples.map(({tool, wall}, i) => {
    const y = headHeight + i * (barHeight + gap);
    const length = Math.max(1, ((width - label - 130) * wall) / longest);
    const colour =
      tool === us ? colours.ours : tool.startsWith('floor') ? colours.floor : colours.peer;
    const times = base === undefined || tool === us ? '' : `, ${(wall / base).toFixed(1)}×`;
    return [
      `<text x="${label - 8}" y="${y + 12}" text-anchor="end"${tool === us ? ' class="head"' : ''}>${escape(tool)}</text>`,
      `<rect x="${label}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" rx="2" fill="${colour}"/>`,
      `<text x="${(label + length + 6).toFixed(1)}" y="${y + 12}">${wall.toFixed(2)} s${times}</text>`
    ].join('');
  });
  return `<text x="${label}" y="20" class="head">${escape(title)}</text>\n${bars.join('\n')}`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
