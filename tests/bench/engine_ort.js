'use strict';
// ONNX Runtime's side of the comparison of engines:
//   node engine_ort.js MODEL IMAGES OUT SHAPE THREADS
// IMAGES holds a batch of the SHAPE (8,3,224,224) as raw float32; the outputs go to OUT the
// same way. For every number N on the standard input: N runs, one line of milliseconds.
const fs = require('fs');
const readline = require('readline');
const ort = require('onnxruntime-node');

async function main([model, images, out, shape, threads]) {
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ['cpu'], intraOpNumThreads: Number(threads), interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const bytes = fs.readFileSync(images);
  const dims = shape.split(',').map(Number);
  const x = new Float32Array(bytes.buffer, bytes.byteOffset, dims.reduce((a, b) => a * b));
  const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', x, dims) };
  const y = (await session.run(feeds))[session.outputNames[0]].data;
  fs.writeFileSync(out, Buffer.from(y.buffer, y.byteOffset, y.byteLength));
  console.log('ready');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const ms = [];
    for (let i = Number(line); i > 0; i--) {
      const begin = process.hrtime.bigint();
      await session.run(feeds);
      ms.push((Number(process.hrtime.bigint() - begin) / 1e6).toFixed(4));
    }
    console.log(ms.join(' '));
  }
}

main(process.argv.slice(2)).catch((e) => {
  console.error(e.message);
  process.exit(1);
});
