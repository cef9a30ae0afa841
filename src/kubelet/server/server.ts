/** The kubelet's HTTPS server: logs, exec, attach, port-forward, health, stats. Upstream: pkg/kubelet/server/server.go. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContextOptions } from 'node:tls';
import type { Client } from '#client';
import { refuseUpgrade } from '#streaming';
import type { KubeletConfig, KubeletDeps, KubeletServing } from '../config.ts';
import type { Machine } from '../node/machine.ts';
import type { PodAgent } from '../pods/pod-agent.ts';
import { authenticate, authorize } from './authentication.ts';
import { HttpError, type Route, sendText } from './http.ts';
import { logRoutes } from './logs.ts';
import { statsRoutes } from './stats.ts';
import { streamRoutes, type UpgradeRoute } from './streams.ts';

export interface KubeletServer extends AsyncDisposable {
  readonly port: number;
}

export interface ServerParts {
  readonly client: Client;
  readonly agent: PodAgent;
  readonly machine: Machine;
}

/** Resolves when it listens. */
export async function startServer(
  deps: KubeletDeps,
  config: KubeletConfig,
  parts: ServerParts,
): Promise<KubeletServer> {
  const serving = deps.serving!;
  const routes: readonly Route[] = [...logRoutes(deps, parts), ...statsRoutes(deps, config, parts)];
  const upgrades: readonly UpgradeRoute[] = streamRoutes(deps, parts);
  const sockets = new Set<Duplex>();
  const server = createServer({ ...secureContext(serving), requestCert: true, rejectUnauthorized: false });
  serving.onChange?.(next => server.setSecureContext(secureContext(next)));
  const allowed = async (request: IncomingMessage, path: string): Promise<void> => {
    const caller = await authenticate(request, parts.client);
    if (!caller) throw new HttpError(401, 'Unauthorized');
    const options = { client: parts.client, nodeName: config.nodeName };
    if (await authorize(caller, request, path, options)) return;
    const what = `user=${caller.name}, verb=${request.method}, resource=nodes, subresource=proxy`;
    throw new HttpError(403, `Forbidden (${what})`);
  };
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'https://localhost');
    await allowed(request, url.pathname);
    for (const route of routes) {
      const match = route.pattern.exec(url.pathname);
      if (!match || !route.methods.includes(request.method ?? '')) continue;
      const names = match.slice(1).map(part => decodeURIComponent(part ?? ''));
      await route.handle({ request, response, url, names });
      return;
    }
    throw new HttpError(404, '404 page not found');
  };
  server.on('request', (request, response) => {
    handle(request, response).catch(error => fail(response, error, deps));
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const url = new URL(request.url ?? '/', 'https://localhost');
    const upgrade = { request, socket, head };
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    const run = async (): Promise<void> => {
      await allowed(request, url.pathname);
      for (const route of upgrades) {
        const match = route.pattern.exec(url.pathname);
        if (!match) continue;
        await route.handle(
          upgrade,
          url,
          match.slice(1).map(part => decodeURIComponent(part ?? '')),
        );
        return;
      }
      throw new HttpError(404, '404 page not found');
    };
    run().catch(error => {
      const known = error instanceof HttpError;
      if (!known) deps.logger.error('upgrade failed', { path: url.pathname, error });
      refuseUpgrade(upgrade, known ? error.status : 500, known ? error.message : 'internal error');
    });
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.address, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

function secureContext({ certPem, keyPem, clientCaPem }: KubeletServing): SecureContextOptions {
  const key = typeof keyPem === 'string' ? keyPem : keyPem.export({ type: 'pkcs8', format: 'pem' });
  return { cert: certPem, key, ca: clientCaPem, allowPartialTrustChain: true, minVersion: 'TLSv1.2' };
}

function fail(response: ServerResponse, error: unknown, { logger }: KubeletDeps): void {
  if (!(error instanceof HttpError)) logger.error('request failed', { error });
  if (response.headersSent) {
    response.destroy();
    return;
  }
  if (error instanceof HttpError) sendText(response, error.status, error.message);
  else sendText(response, 500, 'internal error');
}
