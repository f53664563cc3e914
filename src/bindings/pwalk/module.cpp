#include <exception>
#include <stdexcept>

#include "bindings.hpp"
#include "filetree/error.hpp"
#include "filetree/repair.hpp"
#include "filetree/walk.hpp"

namespace {

namespace nb = nanobind;

// Messages name files, and names are bytes.
void set_error(PyObject* type, const char* what) {
    const nb::object message = nb::steal(PyUnicode_DecodeFSDefault(what));
    if (message.is_valid()) PyErr_SetObject(type, message.ptr());
}

// SystemError: OSError(errno, reason, filename), which Python turns into the fitting subclass.
void translate_error(const std::exception_ptr& exception, void* protected_path_error) {
    try {
        std::rethrow_exception(exception);
    } catch (const filetree::SystemError& error) {
        nb::object filename = nb::none();
        if (!error.path().empty()) {
            filename = nb::steal(PyUnicode_DecodeFSDefaultAndSize(
                error.path().data(), static_cast<Py_ssize_t>(error.path().size())));
        }
        const nb::tuple arguments = nb::make_tuple(error.error(), error.reason().c_str(), filename);
        PyErr_SetObject(PyExc_OSError, arguments.ptr());
    } catch (const filetree::ProtectedPath& error) {
        set_error(static_cast<PyObject*>(protected_path_error), error.what());
    } catch (const std::invalid_argument& error) {
        set_error(PyExc_ValueError, error.what());
    }
}

}  // namespace

NB_MODULE(_core, module) {
    module.doc() = "The core of pwalk.";
    module.attr("__version__") = FILETREE_VERSION;
    // A daemon thread keeps what it uses until the process is gone; that is no leak to complain of.
    nb::set_leak_warnings(false);
    const nb::object protected_path_error = nb::steal(PyErr_NewExceptionWithDoc(
        "pwalk.ProtectedPathError",
        "The top is a directory in which nothing is to be repaired, or lies in one.",
        PyExc_ValueError, nullptr));
    module.attr("ProtectedPathError") = protected_path_error;
    // The module is never unloaded: the pointer stays good.
    nb::register_exception_translator(translate_error, protected_path_error.ptr());
    pwalk_bindings::bind_arrow_stream(module);
    pwalk_bindings::bind_checkpoint(module);
    pwalk_bindings::bind_file_system(module);
    pwalk_bindings::bind_options(module);
    pwalk_bindings::bind_ordered_walk(module);
    pwalk_bindings::bind_output_file(module);
    pwalk_bindings::bind_pwal(module);
    pwalk_bindings::bind_repair(module);
    pwalk_bindings::bind_report(module);
    pwalk_bindings::bind_scan(module);
}
