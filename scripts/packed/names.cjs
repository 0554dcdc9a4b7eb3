// Requires each package named on the command line and says what it exports.
for (const name of process.argv.slice(2)) {
  const names = Object.keys(require(name));
  console.log(`require ${name}: ${names.join(", ")}`);
}
