import { Toast } from 'radix-ui';
import { createContext, use, useCallback, useRef, useState, type ReactNode } from 'react';

type Show = (text: string) => void;

const ToastContext = createContext<Show>(() => undefined);

/** Shows a short message that goes away by itself. */
export function useToast(): Show {
  return use(ToastContext);
}

export function Toasts({ children }: { children: ReactNode }) {
  const [toasts, setToasts] = useState<{ id: number; text: string }[]>([]);
  const next = useRef(0);
  const show = useCallback<Show>((text) => {
    const id = next.current++;
    // More than three at a time nobody reads.
    setToasts((shown) => [...shown, { id, text }].slice(-3));
  }, []);
  return (
    <ToastContext value={show}>
      <Toast.Provider duration={4_000} swipeDirection="right">
        {children}
        {toasts.map(({ id, text }) => (
          <Toast.Root
            key={id}
            className="toast"
            onOpenChange={(open) => !open && setToasts((shown) => shown.filter((toast) => toast.id !== id))}
          >
            <Toast.Description>{text}</Toast.Description>
          </Toast.Root>
        ))}
        <Toast.Viewport className="toasts" />
      </Toast.Provider>
    </ToastContext>
  );
}
