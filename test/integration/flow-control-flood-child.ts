/** Lists a path on many connections without a pause until it is ended; tells how often when asked. */
import { clientOf } from '../../bench/kubeconfig.ts';

const [kubeconfig = '', path = '', connections = '1'] = process.argv.slice(2);
const headers = { 'impersonate-user': 'flooder', 'impersonate-group': 'system:authenticated' };
let lists = 0;

async function flood(): Promise<never> {
  const { transport } = clientOf(kubeconfig);
  for (;;) {
    const response = await transport.request({ method: 'GET', path, headers });
    for await (const _ of response.bytes());
    if (++lists === Number(connections)) process.send!('begun');
  }
}

process.on('message', () => process.send!(lists));
await Promise.all(Array.from({ length: Number(connections) }, flood));
