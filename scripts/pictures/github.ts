import {fromHtml} from 'hast-util-from-html';
import {defaultSchema, sanitize} from 'hast-util-sanitize';
import {toHtml} from 'hast-util-to-html';
import {micromark} from 'micromark';
import {gfm, gfmHtml} from 'micromark-extension-gfm';

/** The alerts that GitHub knows: a quotation whose first line is `[!WARNING]`, at the top level. */
const alert = /<blockquote>\s*<p>\[!(NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]\n([^]*?)<\/blockquote>/g;

/** Markdown as HTML, GitHub-flavoured, with whatever HTML stands in it. */
export function markdownHtml(markdown: string): string {
  return micromark(markdown, {
    allowDangerousHtml: true,
    allowDangerousProtocol: true,
    extensions: [gfm()],
    htmlExtensions: [gfmHtml()]
  });
}

/**
 * Markdown as GitHub shows it in a job summary: HTML in it is taken for HTML, and all is sanitized by
 * the rules that GitHub has published. Mentions, emoji names and highlighting are left out.
 * @see https://github.com/gjtorikian/html-pipeline
 */
export function githubHtml(markdown: string, {alerts = true} = {}): string {
  const html = fromHtml(markdownHtml(markdown), {fragment: true});
  const safe = toHtml(sanitize(html, defaultSchema));
  if (!alerts) return safe;
  return safe.replace(alert, (_, kind: string, rest: string) => {
    const name = kind.toLowerCase();
    return `<div class="alert ${name}"><p class="title">${kind.charAt(0)}${name.slice(1)}</p><p>${rest}</div>`;
  });
}

/** A page that looks like GitHub's own round a job summary, in a light and a dark dress. */
export function githubPage(body: string, theme: 'light' | 'dark'): string {
  return `<!doctype html>
<html lang="en" class="${theme}">
<meta charset="utf-8">
<title>mirror summary</title>
<style>${style}</style>
<section><header>mirror summary</header><article>
${body}
</article></section>
</html>
`;
}

// Colours and measures are those of GitHub's pages; the rules are our own.
const style = `
.light {
  --text: #1f2328; --muted: #59636e; --page: #ffffff; --soft: #f6f8fa; --line: #d1d9e0;
  --code: #818b981f; --warning: #9a6700; --note: #0969da; --caution: #d1242f;
}
.dark {
  --text: #f0f6fc; --muted: #9198a1; --page: #0d1117; --soft: #151b23; --line: #3d444d;
  --code: #656c7633; --warning: #d29922; --note: #4493f8; --caution: #f85149;
}
.dark { color-scheme: dark; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 -apple-system, BlinkMacSystemFont, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; }
section { border: 1px solid var(--line); border-radius: 6px; }
header { padding: 12px 16px; font-size: 14px; font-weight: 600; border-bottom: 1px solid var(--line); }
article { padding: 24px 32px; overflow-wrap: break-word; }
article > :first-child { margin-top: 0; }
article > :last-child { margin-bottom: 0; }
h2, h3, h4 { margin: 24px 0 16px; line-height: 1.25; font-weight: 600; }
h2 { font-size: 1.5em; padding-bottom: .3em; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.25em; }
h4 { font-size: 1em; }
p, ul, ol, table, pre, details, blockquote, .alert { margin: 0 0 16px; }
ul, ol { padding-left: 2em; }
li + li { margin-top: .25em; }
table { display: block; width: max-content; max-width: 100%; overflow: auto; border-spacing: 0;
  border-collapse: collapse; font-variant: tabular-nums; }
th, td { padding: 6px 13px; border: 1px solid var(--line); }
th { font-weight: 600; }
tr { background: var(--page); border-top: 1px solid var(--line); }
tbody tr:nth-child(2n) { background: var(--soft); }
code { padding: .2em .4em; font-size: 85%; white-space: break-spaces; background: var(--code);
  border-radius: 6px; }
code, pre { font-family: ui-monospace, SFMono-Regular, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
pre { padding: 16px; overflow: auto; font-size: 85%; line-height: 1.45; background: var(--soft);
  border-radius: 6px; }
pre code { padding: 0; font-size: 100%; white-space: pre; background: transparent; }
summary { cursor: pointer; }
sub { font-size: 75%; line-height: 0; position: relative; vertical-align: baseline; bottom: -.25em; }
blockquote { padding: 0 1em; color: var(--muted); border-left: .25em solid var(--line); }
.alert { padding: .5rem 1rem; border-left: .25em solid var(--accent); }
.alert p { margin: 0; }
.alert .title { color: var(--accent); font-weight: 500; font-size: 14px; }
.alert.warning { --accent: var(--warning); }
.alert.note, .alert.tip, .alert.important { --accent: var(--note); }
.alert.caution { --accent: var(--caution); }
`;
