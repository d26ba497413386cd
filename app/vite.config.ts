import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// `npm run dev` serves the app with live reload in front of a running service: CLUSTER_SERVICE=http://127.0.0.1:7777 npm run dev
const service = process.env.CLUSTER_SERVICE ?? 'http://127.0.0.1:7777';

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    // The Content-Security-Policy allows no inlined files.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    manifest: 'manifest.json',
  },
  worker: { format: 'es' },
  server: { proxy: { '/v1': service } },
});
