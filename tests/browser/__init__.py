"""The pages as a browser shows them: headless Chromium, driven through selenium."""
