import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultRouteInterfaces, hostAddress } from './host-address.ts';

const address = (text: string, internal = false) => ({
  address: text,
  netmask: '255.255.255.0',
  family: 'IPv4' as const,
  mac: '00:00:00:00:00:00',
  internal,
  cidr: `${text}/24`,
});

test('interfaces of default routes', () => {
  const table = `Iface\tDestination\tGateway\tFlags\tRefCnt
eth1\t0001A8C0\t00000000\t0001\t0
eth0\t00000000\t0101A8C0\t0003\t0
eth2\t00000000\t00000000\t0001\t0
`;
  assert.deepEqual(defaultRouteInterfaces(table), ['eth0']);
  assert.deepEqual(defaultRouteInterfaces(''), []);
});

test('the address of a host', () => {
  const interfaces = {
    lo: [address('127.0.0.1', true)],
    link: [address('169.254.3.4')],
    bridge: [address('172.17.0.1')],
    eth0: [address('192.168.1.7')],
  };
  assert.equal(hostAddress(interfaces, ['eth0']), '192.168.1.7');
  assert.equal(hostAddress(interfaces, []), '172.17.0.1');
  assert.equal(hostAddress({ lo: interfaces.lo }, []), undefined);
});
