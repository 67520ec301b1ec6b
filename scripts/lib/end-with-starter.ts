// Loaded by what another process started as a part of it, with a channel between the two: whoever is killed (kill -9) cannot
// end what it started, so this ends itself, as by SIGTERM, when the channel closes.

process.on("disconnect", () => process.kill(process.pid, "SIGTERM"));
// The listener alone would keep the process running.
process.channel?.unref();
