/// The files of the demo page. The program carries them.
package enum DemoPage {
  package static let html = PackageResources.demo_html
  package static let css = PackageResources.demo_css
  package static let javascript = PackageResources.demo_js
}
