/** A promise a test opens by hand. */
export class Gate<T = void> {
	readonly opened: Promise<T>;
	open!: (value: T) => void;
	fail!: (reason: unknown) => void;
	constructor() {
		this.opened = new Promise<T>((resolve, reject) => {
			this.open = resolve;
			this.fail = reject;
		});
	}
}
