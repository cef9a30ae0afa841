/** What a kubelet relies on of images, without any registry. */
import assert from 'node:assert/strict';
import type { SuiteCase } from './index.ts';

export const imageTests: readonly SuiteCase[] = [
  {
    title: 'a present image is found by name and by id, and listed',
    async run({ engine, image }) {
      const info = await engine.images.imageStatus({ image });
      assert.match(info?.id ?? '', /^sha256:[0-9a-f]{64}$/);
      assert.equal((await engine.images.imageStatus({ image: info!.id }))?.id, info!.id);
      assert.ok((await engine.images.listImages()).some(each => each.id === info!.id));
    },
  },
  {
    title: 'an absent image is undefined; removing it is no error; pulling it fails with imagePull',
    async run({ engine }) {
      const image = 'localhost:1/no/such-image:1';
      assert.equal(await engine.images.imageStatus({ image }), undefined);
      await engine.images.removeImage({ image });
      await assert.rejects(engine.images.pullImage({ image }, undefined), { code: 'imagePull' });
    },
  },
  {
    title: 'the image file system is told',
    async run({ engine }) {
      const info = await engine.images.imageFsInfo();
      assert.notEqual(info.mountpoint, '');
      assert.ok(info.usedBytes >= 0);
    },
  },
];
