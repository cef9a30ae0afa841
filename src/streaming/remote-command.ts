/**
 * exec and attach: the streams of a process over SPDY or WebSocket.
 * Upstream: k8s.io/cri-streaming pkg/streaming/remotecommand, apiserver pkg/util/wsstream.
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import type { Clock } from '#base';
import { Channels, channelProtocols } from './channels.ts';
import { SpdyConnection } from './spdy-connection.ts';
import {
  acceptSpdy,
  acceptWebSocket,
  isSpdyUpgrade,
  isWebSocketUpgrade,
  refuseUpgrade,
  type Upgrade,
} from './upgrade.ts';

/** A process with its streams; the shape that engines answer with. */
export interface RemoteSession {
  readonly stdin?: Writable;
  readonly stdout?: Readable;
  readonly stderr?: Readable;
  resize(columns: number, rows: number): void;
  readonly exit: Promise<number>;
  close(): void;
}

export interface RemoteStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** The client's end of the streams. */
interface Connection {
  readonly stdin?: Readable | undefined;
  readonly stdout?: Writable | undefined;
  readonly stderr?: Writable | undefined;
  readonly resize?: Readable | undefined;
  readonly error: Writable;
  /** Whether the error stream carries a Status as JSON. */
  readonly statusAsJson: boolean;
  readonly closed: Promise<void>;
  close(): Promise<void>;
}

const spdyProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'] as const;
const streamTimeoutMs = 30_000;
const channelNames = ['stdin', 'stdout', 'stderr', 'error', 'resize'] as const;

/**
 * Upgrades, opens the process, and carries everything until it has ended or the client is gone. Resolves then; never
 * rejects.
 */
export async function serveRemoteCommand(
  upgrade: Upgrade,
  streams: RemoteStreams,
  open: () => Promise<RemoteSession>,
  deps: { readonly clock: Clock },
): Promise<void> {
  upgrade.socket.on('error', () => {});
  const connection = isWebSocketUpgrade(upgrade.request)
    ? await connectWebSocket(upgrade, streams)
    : isSpdyUpgrade(upgrade.request)
      ? await connectSpdy(upgrade, streams, deps.clock)
      : refuse(upgrade);
  if (!connection) return;
  let session: RemoteSession;
  try {
    session = await open();
  } catch (error) {
    await say(connection, internalError(`error executing command in container: ${messageOf(error)}`));
    await connection.close();
    return;
  }
  await carry(connection, session);
}

function refuse(upgrade: Upgrade): undefined {
  refuseUpgrade(upgrade, 400, 'unable to upgrade: missing upgrade headers in request');
}

async function carry(connection: Connection, session: RemoteSession): Promise<void> {
  const outputs = [copy(session.stdout, connection.stdout), copy(session.stderr, connection.stderr)];
  if (session.stdin && connection.stdin) void pipeline(connection.stdin, session.stdin).catch(() => {});
  if (connection.resize) void followResize(connection.resize, session);
  const gone = connection.closed.then(() => undefined);
  const end = session.exit.then(
    code => ({ code }),
    (error: unknown) => ({ error }),
  );
  const result = await Promise.race([end, gone]);
  if (!result) {
    session.close();
    return;
  }
  await Promise.race([Promise.all(outputs), gone]);
  if ('error' in result) {
    await say(connection, internalError(`error executing command in container: ${messageOf(result.error)}`));
  } else await say(connection, statusOf(result.code));
  await connection.close();
  session.close();
}

/** Resolves when the output has ended or its reader is gone; `carry` learns of the latter by the connection. */
async function copy(from: Readable | undefined, to: Writable | undefined): Promise<void> {
  if (!from) return;
  if (to) await pipeline(from, to).catch(() => {});
  else from.resume();
}

/** Lines of `{"Width":80,"Height":24}`. */
async function followResize(stream: Readable, session: RemoteSession): Promise<void> {
  let text = '';
  try {
    for await (const chunk of stream) {
      text += String(chunk);
      for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
        const size = JSON.parse(text.slice(0, end + 1)) as { Width?: number; Height?: number };
        text = text.slice(end + 1);
        if (size.Width && size.Height) session.resize(size.Width, size.Height);
      }
      if (text.length > 1024) return;
    }
  } catch {
    // A client that sends no sizes that can be read keeps the terminal as it is.
  }
}

interface Outcome {
  readonly status: object;
  readonly text: string;
}

function statusOf(code: number): Outcome {
  const base = { metadata: {}, status: code === 0 ? 'Success' : 'Failure' };
  if (code === 0) return { status: base, text: '' };
  const message = `command terminated with non-zero exit code: exit status ${code}`;
  const details = { causes: [{ reason: 'ExitCode', message: String(code) }] };
  return { status: { ...base, message, reason: 'NonZeroExitCode', details }, text: message };
}

function internalError(message: string): Outcome {
  const text = `Internal error occurred: ${message}`;
  const details = { causes: [{ message }] };
  return {
    status: { metadata: {}, status: 'Failure', message: text, reason: 'InternalError', details, code: 500 },
    text,
  };
}

async function say({ error, statusAsJson }: Connection, { status, text }: Outcome): Promise<void> {
  const bytes = statusAsJson ? JSON.stringify(status) : text;
  if (bytes === '') error.end();
  else error.end(bytes);
  await finished(error, { readable: false }).catch(() => {});
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function connectWebSocket(upgrade: Upgrade, streams: RemoteStreams): Promise<Connection | undefined> {
  const accepted = await acceptWebSocket(upgrade, Object.values(channelProtocols));
  if (!accepted) return undefined;
  const { socket, protocol } = accepted;
  const channels = new Channels(accepted, channelNames.length);
  const channel = (name: (typeof channelNames)[number]): Duplex => channels.get(channelNames.indexOf(name));
  const first = streams.stdout ? 'stdout' : streams.stderr && !streams.tty ? 'stderr' : 'error';
  channels.send(channelNames.indexOf(first), Buffer.alloc(0), () => {});
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()));
  return {
    ...(streams.stdin && { stdin: channel('stdin') }),
    ...(streams.stdout && { stdout: channel('stdout') }),
    ...(streams.stderr && { stderr: channel('stderr') }),
    ...(streams.tty && { resize: channel('resize') }),
    error: channel('error'),
    statusAsJson: /^v[45]\./.test(protocol),
    closed,
    async close() {
      channels.close();
    },
  };
}

async function connectSpdy(upgrade: Upgrade, streams: RemoteStreams, clock: Clock): Promise<Connection | undefined> {
  const protocol = acceptSpdy(upgrade, spdyProtocols);
  if (protocol === undefined) return undefined;
  const resizes = streams.tty && /^v[34]\./.test(protocol);
  const wanted = new Set<string>(['error']);
  for (const name of ['stdin', 'stdout', 'stderr'] as const) if (streams[name]) wanted.add(name);
  if (resizes) wanted.add('resize');
  const found = new Map<string, Duplex>();
  const complete = Promise.withResolvers<void>();
  const connection = new SpdyConnection(upgrade.socket, {
    side: 'server',
    head: upgrade.head,
    onStream(stream) {
      const type = stream.headers['streamtype'] ?? '';
      if (!wanted.has(type) || found.has(type)) {
        stream.destroy();
        return;
      }
      found.set(type, stream);
      if (found.size === wanted.size) complete.resolve();
    },
  });
  const timer = clock.setTimer(
    () => complete.reject(new Error('timed out waiting for client to create streams')),
    streamTimeoutMs,
  );
  try {
    await Promise.race([complete.promise, connection.closed.then(() => Promise.reject(new Error('closed')))]);
  } catch {
    connection.destroy();
    return undefined;
  } finally {
    timer.cancel();
  }
  return {
    stdin: found.get('stdin'),
    stdout: found.get('stdout'),
    stderr: found.get('stderr'),
    resize: found.get('resize'),
    error: found.get('error')!,
    statusAsJson: protocol.startsWith('v4.'),
    closed: connection.closed,
    close: () => connection.close(),
  };
}
