import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { rewriteHtml, rewriteLink } from './links.ts';

describe('links through a proxy', () => {
  const prefix = '/api/v1/namespaces/a/services/b/proxy';
  const base = { scheme: '', host: '', prefix };
  const source = { backend: '10.0.0.1:80', requested: 'localhost:8001' };
  const cases: ReadonlyArray<readonly [link: string, through: string]> = [
    ['/x', `${prefix}/x`],
    ['/x/', `${prefix}/x/`],
    ['/x?a=b#c', `${prefix}/x?a=b#c`],
    ['x', 'x'],
    ['../x', '../x'],
    ['#top', '#top'],
    ['mailto:a@b', 'mailto:a@b'],
    ['javascript:go()', 'javascript:go()'],
    ['http://elsewhere/x', 'http://elsewhere/x'],
    ['//elsewhere/x', '//elsewhere/x'],
    ['http://10.0.0.1:80/x', `${prefix}/x`],
    ['http://localhost:8001/x', `http://localhost:8001${prefix}/x`],
    [`${prefix}/x`, `${prefix}/x`],
  ];
  for (const [link, through] of cases) {
    it(`${link} becomes ${through}`, () => assert.equal(rewriteLink(link, base, source), through));
  }

  it('names the server where it is known', () => {
    const known = { scheme: 'https', host: '10.96.0.9:443', prefix: '' };
    assert.equal(rewriteLink('/x', known, source), 'https://10.96.0.9:443/x');
  });
});

describe('links of a page', () => {
  const upper = (link: string): string => (link.startsWith('/') ? `/p${link}` : link);
  const cases: ReadonlyArray<readonly [what: string, html: string, out: string]> = [
    ['attributes that hold URLs', '<a href="/x" class="/y">/z</a>', '<a href="/p/x" class="/y">/z</a>'],
    ['any quotes, or none', "<img src='/a'><IMG SRC=/b>", '<img src="/p/a"><IMG SRC="/p/b">'],
    ['entities', '<a href="/a?b=1&amp;c=2">', '<a href="/p/a?b=1&amp;c=2">'],
    ['relative links stay', '<a href="x">', '<a href="x">'],
    ['comments stay', '<!-- <a href="/x"> --><a href="/x">', '<!-- <a href="/x"> --><a href="/p/x">'],
    [
      'scripts stay but for their source',
      '<script src="/s">"<a href=\'/x\'>"</script>',
      '<script src="/p/s">"<a href=\'/x\'>"</script>',
    ],
    ['a tag that never ends', 'text <a href="/x', 'text <a href="/x'],
    ['a bracket in quotes', '<a title="1 > 0" href="/x">', '<a title="1 > 0" href="/p/x">'],
    ['tags named as parts of objects', '<constructor href="/x">', '<constructor href="/x">'],
  ];
  for (const [what, html, out] of cases) it(what, () => assert.equal(rewriteHtml(html, upper), out));

  it('takes time in proportion to the page', () => {
    const parts = ['<a ', '<!--', '<script>', '<a x="', "<a href='", 'a=', '"', '</script'];
    const html = parts.map(part => part.repeat(20_000)).join('');
    const begun = process.hrtime.bigint();
    rewriteHtml(html, upper);
    assert.ok(process.hrtime.bigint() - begun < 2_000_000_000n);
  });
});
