// Stands for a server that `npm start` runs: goes on until it is told to stop, and says so.
process.on("SIGTERM", () => {
	console.log("server stopped");
	process.exit();
});
setInterval(() => {}, 60_000);
console.log(`server ${process.pid}`);
