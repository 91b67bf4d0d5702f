/// The files of the demo page. The program carries them.
enum DemoPage {
  static let html = PackageResources.demo_html
  static let css = PackageResources.demo_css
  static let javascript = PackageResources.demo_js
}
