/** Lists a path on many connections without a pause, from `flood` to `rest`; tells when all have, and then how often. */
import { clientOf } from '../../bench/kubeconfig.ts';

const [kubeconfig = '', path = '', connections = '1'] = process.argv.slice(2);
const headers = { 'impersonate-user': 'flooder', 'impersonate-group': 'system:authenticated' };
const transports = Array.from({ length: Number(connections) }, () => clientOf(kubeconfig).transport);
let goesOn = false;
let lists = 0;
let work: Promise<unknown> = Promise.resolve();

async function flood(transport: (typeof transports)[number]): Promise<void> {
  while (goesOn) {
    const response = await transport.request({ method: 'GET', path, headers });
    for await (const _ of response.bytes());
    if (++lists === transports.length) process.send!('begun');
  }
}

process.on('message', async ask => {
  goesOn = ask === 'flood';
  if (goesOn) {
    lists = 0;
    work = Promise.all(transports.map(flood));
    return;
  }
  await work;
  process.send!(lists);
});
process.on('disconnect', () => process.exit());
