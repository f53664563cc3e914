#include "arrow_stream.hpp"
#include "filetree/posix_fs.hpp"

namespace pwalk_bindings {
namespace {

using filetree::ReportOptions;
using filetree::Scan;

// A scan as Python sees it.
class PythonScan : public Scan, public BatchSource {
   public:
    using Scan::Scan;

    Scan::Next next_batch(ArrowArray& out, std::chrono::nanoseconds timeout) override {
        return next(out, timeout);
    }
};

}  // namespace

void bind_scan(nb::module_& module) {
    nb::class_<PythonScan, filetree::Report> bound(module, "Scan");
    bound.def(
        "__init__",
        [](PythonScan* self, const nb::bytes& top, const ReportOptions& options,
           bool cached_attributes) {
            new (self) PythonScan(filetree::make_posix_file_system({cached_attributes}),
                                  to_string(top), options);
        },
        nb::arg("top"), nb::arg("options"), nb::arg("cached_attributes") = false);
    bind_batch_source(bound);
}

}  // namespace pwalk_bindings
