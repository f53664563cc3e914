#include <chrono>
#include <memory>
#include <utility>

#include "bindings.hpp"
#include "filetree/http.hpp"

namespace komparu_bindings {
namespace {

using filetree::HttpOptions;

// What is handed to each transfer, once made.
struct SharedHttpOptions {
    std::shared_ptr<const HttpOptions> options;
};

std::string to_text(const nb::handle& object) { return to_string(nb::cast<nb::bytes>(object)); }

}  // namespace

filetree::SourceRef to_source(const nb::object& source) {
    if (nb::isinstance<nb::bytes>(source)) return {to_text(source)};
    const auto pair = nb::cast<nb::tuple>(source);
    return {to_text(pair[0]), nb::cast<const SharedHttpOptions&>(pair[1]).options};
}

void bind_http(nb::module_& module) {
    nb::class_<SharedHttpOptions>(module, "HttpOptions")
        .def(
            "__init__",
            [](SharedHttpOptions* self, const nb::list& headers, double timeout,
               bool follow_redirects, bool verify_tls, const nb::bytes& ca_file,
               const nb::tuple& proxies, bool allow_private_redirects, bool block_private) {
                auto options = std::make_shared<HttpOptions>();
                for (const nb::handle header : headers) {
                    const auto pair = nb::cast<nb::tuple>(header);
                    options->headers.emplace_back(to_text(pair[0]), to_text(pair[1]));
                }
                options->timeout = std::chrono::ceil<std::chrono::nanoseconds>(
                    std::chrono::duration<double>(timeout));
                options->follow_redirects = follow_redirects;
                options->verify_tls = verify_tls;
                options->ca_file = to_string(ca_file);
                options->proxies = {to_text(proxies[0]), to_text(proxies[1]), to_text(proxies[2])};
                options->allow_private_redirects = allow_private_redirects;
                options->block_private = block_private;
                new (self) SharedHttpOptions{std::move(options)};
            },
            nb::kw_only(), nb::arg("headers"), nb::arg("timeout"), nb::arg("follow_redirects"),
            nb::arg("verify_tls"), nb::arg("ca_file"), nb::arg("proxies"),
            nb::arg("allow_private_redirects"), nb::arg("block_private"));

    // Raises ValueError for what is no http or https URL.
    module.def(
        "printable_url",
        [](const nb::bytes& url) { return to_bytes(filetree::printable_url(to_string(url))); },
        nb::arg("url"));
}

}  // namespace komparu_bindings
