import { Toast } from "@base-ui/react/toast";
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { IconButton } from "./button.tsx";
import { describeError } from "./notice.tsx";
import "./toasts.css";

const manager = Toast.createToastManager();

/** Says for a moment that something is done. */
export function sayDone(title: string): void {
	manager.add({ title, type: "done", timeout: 4_000 });
}

/** Says that there was nothing to do, and why; stays longer. */
export function sayNothingDone(title: string, why: string): void {
	manager.add({ title, description: why, type: "nothing", timeout: 12_000, priority: "high" });
}

/** Says that something failed; stays longer. */
export function sayFailed(what: string, error: unknown): void {
	const { title, detail } = describeError(error);
	const description = detail === null ? title : `${title} (${detail})`;
	manager.add({ title: what, description, type: "failed", timeout: 12_000, priority: "high" });
}

export function Toasts({ children }: { children: ReactNode }) {
	return (
		<Toast.Provider toastManager={manager} limit={4}>
			{children}
			<Toast.Portal>
				<Toast.Viewport className="toasts" aria-label="Notifications">
					<ToastList />
				</Toast.Viewport>
			</Toast.Portal>
		</Toast.Provider>
	);
}

function ToastList() {
	const { toasts } = Toast.useToastManager();
	return toasts.map((toast) => (
		<Toast.Root key={toast.id} toast={toast} className={`toast toast-${toast.type}`}>
			<Toast.Content className="toast-content">
				<Toast.Title className="toast-title" render={<p />} />
				<Toast.Description className="toast-text" />
			</Toast.Content>
			<Toast.Close
				render={
					<IconButton label="Close this message">
						<X aria-hidden="true" />
					</IconButton>
				}
			/>
		</Toast.Root>
	));
}
