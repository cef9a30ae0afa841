/** JSON for people: each member in a line of its own. The text stays what it was otherwise. Upstream: Go's json.Indent. */

const [quote, backslash] = [0x22, 0x5c];

/** `text`: JSON without blanks between its tokens. */
export function indentJson(text: string): string {
  let out = '';
  let from = 0;
  let line = '\n';
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === quote) {
      at = endOfString(text, at);
      continue;
    }
    if (char === 0x7b || char === 0x5b) {
      // What is empty stays in one line.
      if (text.charCodeAt(at + 1) === char + 2) {
        at++;
        continue;
      }
      line += '  ';
      out += text.slice(from, at + 1) + line;
    } else if (char === 0x7d || char === 0x5d) {
      line = line.slice(0, -2);
      out += text.slice(from, at) + line + text[at];
    } else if (char === 0x2c) out += text.slice(from, at + 1) + line;
    else if (char === 0x3a) out += `${text.slice(from, at + 1)} `;
    else continue;
    from = at + 1;
  }
  return out + text.slice(from);
}

/** Index of the closing quote. */
function endOfString(text: string, begin: number): number {
  let at = begin + 1;
  for (let char = text.charCodeAt(at); char !== quote && at < text.length; char = text.charCodeAt(at)) {
    at += char === backslash ? 2 : 1;
  }
  return at;
}
