'use strict';
// One model in ONNX Runtime at every level of its optimiser:
//   node levels.js MODEL IN.npy PREFIX
// writes PREFIX-LEVEL.onnx (the optimised model) and PREFIX-LEVEL-I.npy (output I) for each
// of disabled, basic, extended and all; one line LEVEL OUTPUT... each.
const fs = require('fs');
const ort = require('onnxruntime-node');
const npy = require('./npy.js');

async function main([model, input, prefix]) {
  const x = npy.read(input);
  for (const level of ['disabled', 'basic', 'extended', 'all']) {
    const session = await ort.InferenceSession.create(model, {
      executionProviders: ['cpu'], intraOpNumThreads: 2, interOpNumThreads: 1,
      logSeverityLevel: 3, graphOptimizationLevel: level,
      optimizedModelFilePath: `${prefix}-${level}.onnx`,
    });
    const feeds = { [session.inputNames[0]]: new ort.Tensor('float32', x.data, x.dims) };
    const result = await session.run(feeds);
    session.outputNames.forEach((name, i) =>
      npy.write(`${prefix}-${level}-${i}.npy`, result[name].dims, result[name].data));
    console.log([level, ...session.outputNames].join(' '));
    await session.release();
  }
}

main(process.argv.slice(2)).catch((e) => {
  console.error(e.message);
  process.exit(1);
});
