import type { ChildProcess } from "node:child_process";

/** Two ends that pass messages in order, until one of them is gone. The runner protocol is another one. */
export interface MessageLink<Out, In> {
	send(message: Out): void;
	onMessage(listen: (message: In) => void): void;
	/** The other end is gone; nothing comes any more. */
	onGone(listen: () => void): void;
}

/** The parent's end of a link to a process that was started with an IPC channel. */
export function linkToChild<Out, In>(child: ChildProcess): MessageLink<Out, In> {
	return {
		send: (message) => {
			if (child.connected) child.send(message as object, () => {});
		},
		onMessage: (listen) => child.on("message", (message) => listen(message as In)),
		onGone: (listen) => child.once("exit", listen),
	};
}

/** The end of a process that was started with an IPC channel. */
export function linkToParent<Out, In>(): MessageLink<Out, In> {
	return {
		send: (message) => process.send!(message),
		onMessage: (listen) => process.on("message", (message) => listen(message as In)),
		onGone: (listen) => process.once("disconnect", listen),
	};
}
