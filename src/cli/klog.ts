/** A line of the log in the form of `--logging-format=text`. Upstream: klog's header and structured messages. */

const letters: Readonly<Record<string, string>> = { debug: 'I', info: 'I', warn: 'W', error: 'E' };

/** `I1121 16:52:11.695000    1234 kobune] "message" key="value"` of a line of JSON. */
export function klogLine(json: string, pid: number = process.pid): string {
  const { time, level, message, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const [, month, day, clock] = /^\d+-(\d\d)-(\d\d)T([\d:.]+)Z$/.exec(String(time)) ?? [];
  const values = Object.entries(fields).map(([key, value]) => ` ${key}=${JSON.stringify(value)}`);
  const header = `${letters[String(level)] ?? 'I'}${month}${day} ${clock}000 ${String(pid).padStart(7)} kobune]`;
  return `${header} ${JSON.stringify(message)}${values.join('')}`;
}
