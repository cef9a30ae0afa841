/** Names and numbers of the signal that stops a container: `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`. */
import { constants } from 'node:os';

const realTimeMin = 34;
const realTimeMax = 64;

/** The number; SIGTERM for what is no signal. */
export function signalNumber(text: string | undefined): number {
  const fallback = constants.signals.SIGTERM;
  if (text === undefined || text === '') return fallback;
  if (/^\d+$/.test(text)) return Number(text);
  const name = text.toUpperCase().startsWith('SIG') ? text.toUpperCase() : `SIG${text.toUpperCase()}`;
  const realTime = /^SIGRTM(IN\+|AX-)(\d+)$/.exec(name);
  if (realTime) return realTime[1] === 'IN+' ? realTimeMin + Number(realTime[2]) : realTimeMax - Number(realTime[2]);
  if (name === 'SIGRTMIN') return realTimeMin;
  if (name === 'SIGRTMAX') return realTimeMax;
  return (constants.signals as Record<string, number>)[name] ?? fallback;
}
