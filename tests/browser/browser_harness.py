"""One Chromium under a driver: opening it, its network, its log, and the accessibility checker."""

import json
import os
import shutil
import tempfile
from urllib.parse import urlsplit

from intake_harness.postgres import in_memory
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

AXE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_modules", "axe-core", "axe.min.js")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
OFFLINE = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
ONLINE = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
RUN_AXE = """
const [rules, done] = arguments;
axe.run(document, {runOnly: {type: "tag", values: rules}, resultTypes: ["violations"]})
   .then(result => done(result.violations), error => done([{id: String(error), nodes: []}]));
"""


class Browser:
    """A browser with a profile of its own; begin() and forget() are around what a test does with it."""

    def __init__(self, lang):
        self._profile = tempfile.mkdtemp(prefix="intake-browser-", dir=in_memory())
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                         "--disable-software-rasterizer", "--hide-scrollbars", "--no-first-run",
                         "--disable-background-networking", "--disable-component-update", "--disable-sync",
                         f"--lang={lang}", "--window-size=1280,900", f"--user-data-dir={self._profile}"):
            options.add_argument(argument)
        options.add_experimental_option("prefs", {"intl.accept_languages": lang})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_script_timeout(60)
        self._entries = []
        self.driver.intake = self

    def begin(self, width, height):
        """A new tab; what was said of the ones before is not heard any more."""
        before = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        fresh = self.driver.current_window_handle
        self.driver.switch_to.window(before)
        self.driver.close()
        self.driver.switch_to.window(fresh)
        self.network()
        self.driver.get_log("browser")
        self._entries = []
        # A phone is narrower than any window may be.
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=2 if width < 600 else 1, mobile=width < 600)

    def command(self, name, **arguments):
        """A command of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, arguments)

    def offline(self, is_offline=True):
        self.command("Network.enable")
        self.command("Network.emulateNetworkConditions", **(OFFLINE if is_offline else ONLINE))

    def color_scheme(self, scheme):
        self.command("Emulation.setEmulatedMedia",
                     features=[{"name": "prefers-color-scheme", "value": scheme},
                               {"name": "prefers-reduced-motion", "value": "reduce"}])

    def network(self):
        """All events of the network since the browser opened, as (name, parameters)."""
        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"].startswith("Network."):
                self._entries.append((message["method"], message["params"]))
        return self._entries

    def requests(self, method=None, path=None):
        """The requests that pages made, of that method and with that in their path."""
        sent = [parameters["request"] for name, parameters in self.network()
                if name == "Network.requestWillBeSent"]
        return [request for request in sent
                if (method is None or request["method"] == method) and
                (path is None or path in urlsplit(request["url"]).path)]

    def faults(self):
        """What no page of ours may do."""
        found = [f"{entry['source']}: {entry['message']}" for entry in self.driver.get_log("browser")
                 if entry["source"] in ("security", "javascript", "violation")
                 or "Content Security Policy" in entry["message"]]
        for request in self.requests():
            address = urlsplit(request["url"])
            if address.scheme in ("http", "https", "ws", "wss") and address.hostname != "127.0.0.1":
                found.append(f"a request to {address.hostname}")
        return found

    def forget(self):
        """As a profile that is new: no cookie, no storage, no cache, no permission, whatever the pages were."""
        for origin in {"{0.scheme}://{0.netloc}".format(urlsplit(request["url"])) for request in self.requests()}:
            self.command("Storage.clearDataForOrigin", origin=origin, storageTypes="all")
        self.command("Network.clearBrowserCookies")
        self.command("Network.clearBrowserCache")
        self.command("Browser.resetPermissions")
        self.command("Browser.setDownloadBehavior", behavior="default")

    def close(self):
        self.driver.quit()
        shutil.rmtree(self._profile, ignore_errors=True)


def violations(driver, scheme):
    """What axe finds on the page as it stands, in one colour scheme; a line for each element."""
    driver.intake.color_scheme(scheme)
    if not driver.execute_script("return typeof window.axe === 'object'"):
        with open(AXE, encoding="utf-8") as file:
            driver.execute_script(file.read() + "\nwindow.axe = axe;")
    found = driver.execute_async_script(RUN_AXE, RULES)
    driver.intake.color_scheme("")
    return [f"{scheme}: {rule['id']}: {node['html'][:200]} {node.get('failureSummary', '')}"
            for rule in found for node in (rule["nodes"] or [{"html": ""}])]
