#include "filetree/pwal.hpp"

#include "arrow_stream.hpp"
#include "filetree/error.hpp"

namespace pwalk_bindings {
namespace {

using filetree::PwalReader;
using filetree::TextOptions;

// A PWAL file as Python sees it.
class PythonPwal : public PwalReader, public BatchSource {
   public:
    using PwalReader::PwalReader;

    void close() {
        const Unlocked unlocked;
        const std::lock_guard lock(reading_);
        PwalReader::close();
    }

    void write_csv(int fd, const nb::bytes& name, const TextOptions& options) {
        if (!reads_through(this)) throw nb::value_error("the file has been consumed");
        const std::string file_name = to_string(name);
        const Unlocked unlocked;
        const std::lock_guard lock(reading_);
        PwalReader::write_csv(fd, file_name, options, [] {
            const Locked locked;
            if (PyErr_CheckSignals() != 0) throw nb::python_error();
            return true;
        });
    }

   private:
    Next next_batch(ArrowArray& out, std::shared_ptr<const filetree::Mark>& /*mark*/,
                    std::chrono::nanoseconds /*timeout*/) override {
        return PwalReader::next(out) ? Next::batch : Next::end;
    }
};

}  // namespace

void bind_pwal(nb::module_& module) {
    nb::class_<PythonPwal> bound(module, "PwalReader");
    bound
        .def(
            "__init__",
            [](PythonPwal* self, const nb::bytes& path) {
                const std::string name = to_string(path);
                const Unlocked unlocked;
                new (self) PythonPwal(name);
            },
            nb::arg("path"))
        .def("close", &PythonPwal::close)
        .def("write_csv", &PythonPwal::write_csv, nb::arg("fd"), nb::arg("name"),
             nb::arg("options"))
        .def_prop_ro("records", &PwalReader::records)
        .def_prop_ro("torn", &PwalReader::torn)
        .def_prop_ro("timestamp", &PwalReader::timestamp)
        .def_prop_ro("clamped_times", &PwalReader::clamped_times);
    bind_batch_source(bound);
}

}  // namespace pwalk_bindings
