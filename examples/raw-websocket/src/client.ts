// No package: any program that can open a WebSocket can be a sensor.
import { setTimeout } from "node:timers/promises";

const [station = "home", sensor, value] = process.argv.slice(2);
const query = new URLSearchParams({
	"rvt-namespace": "default",
	"rvt-method": "getOrCreate",
	"rvt-runner": "default",
	"rvt-key": station,
});
const port = process.env.MANAGER_PORT ?? 6420;
const socket = new WebSocket(`ws://127.0.0.1:${port}/gateway/station/websocket/?${query}`);

socket.addEventListener("open", () => {
	if (sensor) socket.send(JSON.stringify({ sensor, value: Number(value) }));
});
socket.addEventListener("message", ({ data }) => {
	const reading = JSON.parse(data);
	console.log(`${reading.sensor}: ${reading.value}`);
	// A sensor is done when it has heard of itself.
	if (reading.sensor === sensor && reading.value === Number(value)) socket.close(1000);
});
socket.addEventListener("close", ({ code, reason }) => {
	if (code !== 1000) console.log(`closed: ${code} ${reason}`);
});
if (!sensor) {
	await setTimeout(1_000);
	socket.close(1000);
}
