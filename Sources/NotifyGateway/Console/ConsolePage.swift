/// The files of the console's page. The program carries them.
enum ConsolePage {
  static let html = PackageResources.console_html
  static let css = PackageResources.console_css
  static let javascript = PackageResources.console_js
  static let chart = PackageResources.chart_js
  static let parts = PackageResources.parts_js
}
