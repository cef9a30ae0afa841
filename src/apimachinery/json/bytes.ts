/** Base64 as Go's JSON decoder reads it into byte slices. Upstream: Go's encoding/base64. */

const valid = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The canonical text of base64 `text`, or the text of Go's error. Line breaks inside are ignored. */
export function canonicalBase64(text: string): { readonly text: string } | { readonly error: string } {
  const plain = text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, '') : text;
  if (!valid.test(plain)) return { error: `illegal base64 data at input byte ${faultAt(text)}` };
  // Only a last group with padding can hold stray bits.
  if (!plain.endsWith('=')) return { text: plain };
  return { text: Buffer.from(plain, 'base64').toString('base64') };
}

/** Where Go's decoder says that the fault is. */
function faultAt(text: string): number {
  let group = 0;
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '\n' || char === '\r') continue;
    if (/[A-Za-z0-9+/]/.test(char)) {
      group = (group + 1) % 4;
      continue;
    }
    if (char !== '=' || group < 2) return Buffer.byteLength(text.slice(0, i));
    let next = i + 1;
    if (group === 2) {
      while (text[next] === '\n' || text[next] === '\r') next++;
      if (next >= text.length) return Buffer.byteLength(text);
      if (text[next] !== '=') return next;
      next++;
    }
    while (text[next] === '\n' || text[next] === '\r') next++;
    return next;
  }
  return Buffer.byteLength(text) - group;
}
