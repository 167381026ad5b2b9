// A JupyterLab extension without a build step: the container of "module federation", written by hand.
// JupyterLab calls init() with the modules that it shares, then get() for the extension's plugins.
(() => {
  let shared;
  const load = async (name) => (await Object.values(shared[name])[0].get())();

  const plugin = ({ ILauncher }, { ITerminalTracker }, { ServerConnection }, { terminalIcon }) => ({
    id: 'course-terminals:plugin',
    autoStart: true,
    requires: [ILauncher, ITerminalTracker], // the tracker is there once JupyterLab's own terminal plugin has run
    activate: ({ commands, serviceManager: { serverSettings } }, launcher) => {
      const open = 'terminal:create-new'; // runs what the server calls a terminal, which is a shell on the box
      commands.addCommand('course:box-terminal', {
        label: 'Box terminal', caption: 'A root shell on your box', icon: terminalIcon, execute: () => commands.execute(open)
      });
      commands.addCommand('course:own-terminal', {
        label: 'Terminal on your computer', caption: 'A shell outside the box', icon: terminalIcon,
        execute: async () => {
          const body = JSON.stringify({ shell_command: ['/bin/sh', '-c', 'exec "${SHELL:-/bin/sh}" -l'] });
          const answer = await ServerConnection.makeRequest(`${serverSettings.baseUrl}api/terminals`, { method: 'POST', body }, serverSettings);
          return commands.execute(open, { name: (await answer.json()).name });
        }
      });
      launcher.itemsList = launcher.itemsList.filter(({ command }) => command !== open); // "Terminal" does not say where
      launcher.add({ command: 'course:box-terminal', category: 'Other', rank: 0 });
      launcher.add({ command: 'course:own-terminal', category: 'Other', rank: 1 });
    }
  });

  const modules = ['@jupyterlab/launcher', '@jupyterlab/terminal', '@jupyterlab/services', '@jupyterlab/ui-components'];
  (window._JUPYTERLAB ??= {})['course-terminals'] = {
    init: (scope) => { shared = scope; },
    get: async () => {
      const exports = { __esModule: true, default: plugin(...(await Promise.all(modules.map(load)))) };
      return () => exports;
    }
  };
})();
