'use strict';
// Runs ONNX models through ONNX Runtime on the CPU:
//   node ort.js [--threads N] [--repeat R] MODEL IN.npy OUT.npy [MODEL IN.npy OUT.npy ...]
// With --repeat, prints the best and the median time of R runs of each model in milliseconds.
// Of several inputs the first gets IN, and so do those of the same shape; the rest are ones.
// The module onnxruntime-node is found through NODE_PATH. --version prints its version.
const ort = require('onnxruntime-node');
const npy = require('./npy.js');

function same(a, b) {
  return a.type === b.type && a.shape.length === b.shape.length &&
    a.shape.every((d, i) => i === 0 || d === b.shape[i]);
}

function feed(session, x) {
  const feeds = {};
  const first = session.inputMetadata[0];
  for (const m of session.inputMetadata) {
    if (same(m, first)) {
      feeds[m.name] = new ort.Tensor('float32', x.data, x.dims);
      continue;
    }
    const dims = m.shape.map((d) => (d > 0 ? d : 1));
    const n = dims.reduce((a, b) => a * b, 1);
    const data = m.type === 'int64' ? new BigInt64Array(n).fill(1n) : new Float32Array(n).fill(1);
    feeds[m.name] = new ort.Tensor(m.type, data, dims);
  }
  return feeds;
}

async function main(args) {
  let threads = 2;
  let repeat = 0;
  while (args.length && args[0].startsWith('--')) {
    const option = args.shift();
    if (option === '--version') {
      console.log(require('onnxruntime-node/package.json').version);
      return;
    }
    if (option === '--threads') threads = Number(args.shift());
    else if (option === '--repeat') repeat = Number(args.shift());
    else throw new Error(`unknown option ${option}`);
  }
  while (args.length) {
    const [model, input, output] = args.splice(0, 3);
    const session = await ort.InferenceSession.create(model, {
      executionProviders: ['cpu'], intraOpNumThreads: threads, interOpNumThreads: 1,
      logSeverityLevel: 3,
    });
    const x = npy.read(input);
    const feeds = feed(session, x);
    let result = await session.run(feeds);
    const times = [];
    for (let i = 0; i < repeat; i++) {
      const begin = process.hrtime.bigint();
      result = await session.run(feeds);
      times.push(Number(process.hrtime.bigint() - begin) / 1e6);
    }
    const y = result[session.outputNames[0]];
    npy.write(output, y.dims, y.data);
    if (repeat) {
      times.sort((a, b) => a - b);
      console.log(`${times[0].toFixed(3)} ${times[repeat >> 1].toFixed(3)}`);
    }
  }
}

main(process.argv.slice(2)).catch((e) => {
  console.error(e.message);
  process.exit(1);
});
