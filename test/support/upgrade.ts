/** An upgraded connection through the server to something behind it that speaks the protocol `echo`. */
import { connect } from 'node:tls';
import type { TestApiServer } from './api-server.ts';

/** All that came back, head and all: once the connection is upgraded `ping` is sent, and its echo ends it. */
export function upgradeAndPing({ port, authority, adminToken }: TestApiServer, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: authority.certPem }, () => {
      const lines = [`GET ${path} HTTP/1.1`, 'Host: x', 'Connection: Upgrade', 'Upgrade: echo'];
      socket.write(`${[...lines, `Authorization: Bearer ${adminToken}`].join('\r\n')}\r\n\r\n`);
    });
    let text = '';
    socket.on('data', part => {
      const begun = text.includes('\r\n\r\n');
      text += part.toString();
      if (!begun && text.includes(' 101 ')) socket.write('ping');
      if (text.endsWith('ping')) socket.end();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}
