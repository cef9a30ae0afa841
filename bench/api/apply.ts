/** Server-side applies of a Deployment a second: new ones, and ones that change a field of what stands there. */
import { type Bench, type Figures, type Part, rate } from './figures.ts';

function deployment(name: string, replicas: number): object {
  const labels = { app: name };
  const env = Array.from({ length: 10 }, (_, at) => ({ name: `SETTING_${at}`, value: `value-${at}` }));
  const container = { name: 'web', image: 'registry.example.com/web:1', ports: [{ containerPort: 80 }], env };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [container] } },
    },
  };
}

async function measure({ client, namespace }: Bench): Promise<Figures> {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const headers = { 'content-type': 'application/apply-patch+yaml' };
  const query = [['fieldManager', 'bench']] as const;
  const apply = async (name: string, replicas: number): Promise<void> => {
    const body = Buffer.from(JSON.stringify(deployment(name, replicas)));
    await (await client.transport.request({ method: 'PATCH', path: `${path}/${name}`, query, headers, body })).json();
  };
  let made = 0;
  const figures: Figures = new Map();
  figures.set('apply of a new Deployment, 10 at a time (1/s)', await rate(10, () => apply(`d${made++}`, 0)));
  figures.set('apply that changes one, 10 at a time (1/s)', await rate(10, at => apply(`d${at % made}`, at % 2)));
  return figures;
}

export const applies: Part = { name: 'apply', measure };
