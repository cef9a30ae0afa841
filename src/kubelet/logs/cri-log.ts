/**
 * Reading container logs in the CRI format: `<RFC 3339 nano> <stdout|stderr> <P|F> <text>`, one line each.
 * Upstream: k8s.io/cri-client pkg/logs/logs.go.
 */
import { type FileHandle, open } from 'node:fs/promises';

export interface LogLine {
  readonly timestamp: string;
  readonly stream: 'stdout' | 'stderr';
  /** Whether the text is a piece that does not end a line. */
  readonly partial: boolean;
  readonly text: Buffer;
}

const space = 0x20;
const newline = 0x0a;

/** Undefined for what is no log line. `line` has no newline. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(space);
  const second = line.indexOf(space, first + 1);
  if (first < 0 || second < 0) return undefined;
  const third = line.indexOf(space, second + 1);
  const stream = line.toString('latin1', first + 1, second);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const tags = line.toString('latin1', second + 1, third < 0 ? line.length : third);
  return {
    timestamp: line.toString('latin1', 0, first),
    stream,
    partial: tags.split(':')[0] === 'P',
    text: third < 0 ? Buffer.alloc(0) : line.subarray(third + 1),
  };
}

/** What is written out for a line: the text, with its newline unless partial, after the timestamp if asked for. */
function renderLogLine(line: LogLine, timestamps: boolean): Buffer {
  const parts = timestamps ? [Buffer.from(`${line.timestamp} `), line.text] : [line.text];
  if (!line.partial) parts.push(Buffer.from('\n'));
  return Buffer.concat(parts);
}

/** The offset at which the last `count` lines of the file begin. */
export async function tailOffset(file: FileHandle, count: number): Promise<number> {
  const { size } = await file.stat();
  if (count < 0) return 0;
  const chunkBytes = 64 * 1024;
  let seen = 0;
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - chunkBytes);
    const chunk = Buffer.alloc(end - start);
    await file.read(chunk, 0, chunk.length, start);
    for (let at = chunk.length - 1; at >= 0; at--) {
      if (chunk[at] !== newline || start + at === size - 1) continue;
      if (++seen === count) return start + at + 1;
    }
    if (count === 0) return size;
    end = start;
  }
  return 0;
}

/** The text of the last lines, at most `bytes`, for termination messages. */
export async function readLogTail(path: string, lines: number, bytes: number): Promise<string> {
  const file = await open(path);
  try {
    const start = await tailOffset(file, lines);
    const { size } = await file.stat();
    const raw = Buffer.alloc(size - start);
    await file.read(raw, 0, raw.length, start);
    const texts = splitLines(raw).map(line => parseLogLine(line));
    const all = Buffer.concat(texts.flatMap(line => (line ? [renderLogLine(line, false)] : [])));
    return all.subarray(Math.max(0, all.length - bytes)).toString('utf8');
  } finally {
    await file.close();
  }
}

/** Complete lines without their newline; a rest without one is dropped. */
export function splitLines(raw: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; ; ) {
    const end = raw.indexOf(newline, start);
    if (end < 0) return lines;
    lines.push(raw.subarray(start, end));
    start = end + 1;
  }
}
