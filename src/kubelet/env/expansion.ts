/** `$(VAR)` references. Pure. Upstream: third_party/forked/golang/expansion/expand.go. */

/** Answers the value of a variable, or undefined to leave the reference as it is written. */
export type Lookup = (name: string) => string | undefined;

/** Replaces `$(NAME)`; `$$` stands for one dollar sign; what is no reference stays. */
export function expand(text: string, lookup: Lookup): string {
  let out = '';
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    if (char !== '$' || at + 1 >= text.length) {
      out += char;
      continue;
    }
    const next = text[at + 1]!;
    if (next === '$') {
      out += '$';
      at++;
    } else if (next === '(') {
      const close = text.indexOf(')', at + 2);
      if (close < 0) {
        out += '$(';
        at++;
        continue;
      }
      const name = text.slice(at + 2, close);
      out += lookup(name) ?? `$(${name})`;
      at = close;
    } else {
      out += char + next;
      at++;
    }
  }
  return out;
}
