/** `kobune certs`: when the cluster's certificates end, new ones, and new authorities and token keys. */
import { Argument, Command } from 'commander';
import {
  certificateReport,
  type Rotation,
  type RotationStep,
  renewCertificates,
  rotate,
  rotationSteps,
  rotations,
} from '#cluster';
import { type ClusterOptions, existingDirectory, nameOption, rootOption } from '../options.ts';

const outcomes: Readonly<Record<RotationStep, string>> = {
  prepare: 'The next authority is trusted, and the one before still signs. Give clients elsewhere time to learn of it.',
  switch: 'The new one signs from now on; what the one before signed is still believed.',
  finish: 'What only the one before signed is believed no more.',
};

export function certsCommand(): Command {
  const certs = new Command('certs')
    .description("look after the cluster's certificates, authorities and token keys; nothing is restarted")
    .addHelpText(
      'after',
      `
Examples:
  kobune certs check-expiration
  kobune certs renew                         every certificate but the authorities
  kobune certs renew admin apiserver
  kobune certs rotate ca prepare             a new authority, trusted beside the old one
  kobune certs rotate ca switch              … which signs from now on
  kobune certs rotate ca finish              … and the old one is trusted no more
  kobune certs rotate sa switch              a new key of ServiceAccount tokens`,
    );
  certs
    .command('check-expiration')
    .description('when each certificate ends')
    .addOption(nameOption())
    .addOption(rootOption())
    .action((options: ClusterOptions) => {
      for (const { name, endsMs, role } of certificateReport(existingDirectory(options))) {
        console.log(`${name.padEnd(28)} ${new Date(endsMs).toISOString().slice(0, 19)}Z  ${role}`);
      }
    });
  certs
    .command('renew')
    .description('make certificates anew now; they are renewed by themselves a month before they end')
    .argument('[certificates...]', 'which (default: all but the authorities)')
    .addOption(nameOption())
    .addOption(rootOption())
    .action(async (names: string[], options: ClusterOptions) => {
      const renewed = await renewCertificates(existingDirectory(options), names);
      console.log(`Renewed: ${renewed.join(', ')}.`);
    });
  certs
    .command('rotate')
    .description('take one step of replacing an authority or the key of tokens')
    .addArgument(new Argument('<what>', 'an authority, or sa: the key of tokens').choices(rotations))
    .addArgument(new Argument('<step>', 'which step').choices(rotationSteps))
    .addOption(nameOption())
    .addOption(rootOption())
    .action(async (what: Rotation, step: RotationStep, options: ClusterOptions) => {
      await rotate(existingDirectory(options), what, step);
      console.log(outcomes[step]);
    });
  return certs;
}
