// An S3-like server on loopback (it does not check signatures of version 4): its directory as the argument, its port as the first line.
import S3rver from "s3rver";

const server = new S3rver({
  address: "127.0.0.1",
  port: 0,
  silent: true,
  directory: process.argv[2],
  configureBuckets: [{ name: "trail" }],
});
const { port } = await server.run();
console.log(port);
// It ends with whoever started it.
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
