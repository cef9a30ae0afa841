/**
 * `npm run fuzz [-- minutes [seed]]`: wrong input for minutes, three by default, in rounds with new
 * servers, then odd bytes on connections. Prints each
 * problem with its request and the seed that finds it again; exit code 1 when there is any.
 */
import { keepProcessAlive, systemRandom } from '#base';
import { startTestApiServer } from '../support/api-server.ts';
import { Dice } from './dice.ts';
import { fuzz } from './run.ts';
import { fuzzWire } from './wire.ts';

const minutes = Number(process.argv[2] ?? 3);
const first = process.argv[3] ? Number(process.argv[3]) : Math.floor(systemRandom.float() * 2 ** 31);
/** What connections get besides, after all rounds. */
const wireSecondsAMinute = 10;
const roundSeconds = Math.min(30, minutes * 60);
/** What a round may leave behind beyond what it had at a third of its way, when its stored objects are many times that. */
const growthMb = 150;
let problems = 0;
for (let round = 0; round * roundSeconds < minutes * 60; round++) {
  const report = await fuzz({ seed: first + round, seconds: roundSeconds });
  const codes = [...report.codes].sort(([a], [b]) => a - b).map(([code, count]) => `${code}: ${count}`);
  const [early, late] = report.heapMb;
  console.log(
    `seed ${report.seed}: ${report.requests} requests; ${codes.join(', ')}; heap ${early.toFixed(0)} to ${late.toFixed(0)} MB`,
  );
  for (const problem of report.problems) console.log(`  PROBLEM ${problem}`);
  problems += report.problems.length;
  if (late - early > growthMb) {
    console.log(`  PROBLEM the heap grew by ${(late - early).toFixed(0)} MB`);
    problems++;
  }
}
{
  using _awake = keepProcessAlive();
  await using server = await startTestApiServer();
  const { conversations, problems: found } = await fuzzWire(server, new Dice(first), minutes * wireSecondsAMinute);
  console.log(`connections: ${conversations} conversations`);
  for (const problem of found) console.log(`  PROBLEM ${problem}`);
  problems += found.length;
}
process.exitCode = problems > 0 ? 1 : 0;
