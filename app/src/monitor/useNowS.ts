import { useEffect, useState } from 'react';

const seconds = () => Math.floor(Date.now() / 1000);

/** The time, looked at every half minute: countdowns go on while the page is open. */
export function useNowS(): number {
  const [now, setNow] = useState(seconds);
  useEffect(() => {
    const timer = setInterval(() => setNow(seconds()), 30_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
