/** `kobune image`: the node's images, through the running server. */
import { createReadStream } from 'node:fs';
import { Command } from 'commander';
import { UserError } from '#base';
import { type AdminImage, adminClient } from '#cluster';
import { type ClusterOptions, existingCluster, nameOption, rootOption } from '../options.ts';

export function imageCommand(): Command {
  const sub = (name: string): Command =>
    new Command(name).addOption(nameOption()).addOption(rootOption()).exitOverride();
  return new Command('image')
    .description('list, make, import and remove the images of the node')
    .addHelpText(
      'after',
      `
Examples:
  kobune image ls
  kobune image build-from-host --tag localhost/node:host
  docker save my/app | kobune image import -
  kobune image rm my/app`,
    )
    .addCommand(
      sub('build-from-host')
        .description("make an image of this host's Node, its libraries, a shell and tar; needs no network")
        .option('--tag <reference>', 'name of the image', 'localhost/node:host')
        .action(async (options: ClusterOptions & { tag: string }) => {
          const image = await adminClient(existingCluster(options).dir).buildFromHost(options.tag);
          console.log(`${options.tag} ${describe(image)}`);
        }),
    )
    .addCommand(
      sub('import')
        .description('load a docker archive or an OCI layout (tar, gzip allowed) from a file or - for standard input')
        .argument('<file>')
        .action(async (file: string, options: ClusterOptions) => {
          const stream = file === '-' ? process.stdin : createReadStream(file);
          for (const image of await adminClient(existingCluster(options).dir).importArchive(stream)) {
            console.log(`${image.repoTags.join(' ') || image.id} ${describe(image)}`);
          }
        }),
    )
    .addCommand(
      sub('ls')
        .description('list the images')
        .action(async (options: ClusterOptions) => {
          const images = await adminClient(existingCluster(options).dir).list();
          const named = images.flatMap(image =>
            (image.repoTags.length > 0 ? image.repoTags : ['<none>']).map(tag => ({ tag, image })),
          );
          for (const { tag, image } of named.sort((a, b) => (a.tag < b.tag ? -1 : 1))) {
            console.log(`${tag.padEnd(48)} ${describe(image)}`);
          }
        }),
    )
    .addCommand(
      sub('rm')
        .description('remove images')
        .argument('<image...>')
        .action(async (references: string[], options: ClusterOptions) => {
          const client = adminClient(existingCluster(options).dir);
          for (const reference of references) {
            if (!(await client.remove(reference))) throw new UserError(`There is no image "${reference}".`);
            console.log(`removed ${reference}`);
          }
        }),
    );
}

function describe(image: AdminImage): string {
  return `${image.id.slice(7, 19)} ${(image.sizeBytes / 1e6).toFixed(1)} MB`;
}
