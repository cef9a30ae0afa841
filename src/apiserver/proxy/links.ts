/**
 * Links in answers of what stands behind a proxy, so that they lead back through it: `Location` headers and the
 * attributes of HTML that hold URLs. Upstream: apimachinery pkg/util/proxy/transport.go.
 *
 * Deviation: a page keeps its spelling but for the values that change; upstream writes every tag anew.
 */
import { posix } from 'node:path';

/** Where the proxy stands, as the client sees it. */
export interface LinkBase {
  /** Empty: links stay without scheme and host. */
  readonly scheme: string;
  readonly host: string;
  /** What stands before the backend's own paths, without a slash at the end. */
  readonly prefix: string;
}

/** From where a link was read. */
export interface LinkSource {
  /** `host:port` of the backend. */
  readonly backend: string;
  /** The `Host` that the client's request had. */
  readonly requested: string;
}

const parts = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(.*)$/s;

/** The link through the proxy; as it is where it leads elsewhere or is relative. */
export function rewriteLink(link: string, base: LinkBase, source: LinkSource): string {
  const [, ownScheme = '', ownHost = '', ownPath = '', tail = ''] = parts.exec(link) ?? [];
  const elsewhere = ownHost !== '' && ownHost !== source.backend && ownHost !== source.requested;
  if (elsewhere || !ownPath.startsWith('/')) return link;
  const kept = ownHost === source.requested && base.scheme === '' && base.host === '';
  const scheme = kept ? ownScheme : base.scheme;
  const host = kept ? ownHost : base.host;
  const start = `${scheme === '' ? '' : `${scheme}:`}${host === '' ? '' : `//${host}`}`;
  if (ownPath.startsWith(base.prefix)) return `${start}${ownPath}${tail}`;
  const joined = posix.join(base.prefix, ownPath);
  const slash = ownPath.endsWith('/') && !joined.endsWith('/') ? '/' : '';
  return `${start}${joined}${slash}${tail}`;
}

const linkAttributes: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};

/** Elements whose content is text, whatever it looks like. */
const rawElements = new Set(['script', 'style', 'textarea', 'title', 'iframe', 'noembed', 'noframes', 'xmp']);

const tagStart = /<(?:!--|!|\?|\/?([a-zA-Z][^\s/>]*))/g;
/** A name with or without a value, so that every name is passed over as one. */
const attribute = /([^\s"'>/=][^\s/>=]*)(?:(\s*=\s*)(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/g;

/** The page with its links rewritten. Linear in its length. */
export function rewriteHtml(html: string, rewrite: (link: string) => string): string {
  let out = '';
  let at = 0;
  tagStart.lastIndex = 0;
  for (let match = tagStart.exec(html); match; match = tagStart.exec(html)) {
    const end = match[0] === '<!--' ? after(html, '-->', match.index) : tagEnd(html, match.index);
    const name = match[1]?.toLowerCase();
    if (name !== undefined && !match[0].startsWith('</')) {
      out += html.slice(at, match.index) + rewriteTag(html.slice(match.index, end), name, rewrite);
      at = end;
    }
    tagStart.lastIndex = end;
    if (name !== undefined && rawElements.has(name) && !match[0].startsWith('</')) {
      tagStart.lastIndex = closing(html, name, end);
    }
  }
  return out + html.slice(at);
}

function after(html: string, mark: string, from: number): number {
  const at = html.indexOf(mark, from);
  return at < 0 ? html.length : at + mark.length;
}

/** Behind the `>` that ends the tag, which quotes may hold too. */
function tagEnd(html: string, from: number): number {
  let quote = '';
  for (let i = from; i < html.length; i++) {
    const char = html[i]!;
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if ((char === '"' || char === "'") && /[=\s]/.test(html[i - 1]!)) quote = char;
    else if (char === '>') return i + 1;
  }
  return html.length;
}

function closing(html: string, name: string, from: number): number {
  const close = new RegExp(`</${name}(?=[\\s/>])`, 'gi');
  close.lastIndex = from;
  return close.exec(html)?.index ?? html.length;
}

function rewriteTag(tag: string, name: string, rewrite: (link: string) => string): string {
  const wanted = Object.hasOwn(linkAttributes, name) ? linkAttributes[name]! : undefined;
  if (!wanted) return tag;
  const head = 1 + name.length;
  const body = tag
    .slice(head)
    .replace(attribute, (whole, key: string, equals: string | undefined, ...values: unknown[]) => {
      if (equals === undefined || !wanted.includes(key.toLowerCase())) return whole;
      const value = values.slice(0, 3).find(each => each !== undefined) as string;
      const link = decodeEntities(value);
      const written = rewrite(link);
      return written === link ? whole : `${key}${equals}"${encodeEntities(written)}"`;
    });
  return tag.slice(0, head) + body;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function decodeEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|(amp|lt|gt|quot|apos));/g, (whole, dec, hex, name) => {
    if (name) return entities[name]!;
    const code = dec ? Number(dec) : Number.parseInt(hex, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function encodeEntities(text: string): string {
  return text.replace(/[&'<>"]/g, char => `&${{ '&': 'amp', "'": '#39', '<': 'lt', '>': 'gt', '"': '#34' }[char]};`);
}
