#include "text.hpp"

#include <cstdint>
#include <cstring>

#include "bindings.hpp"

namespace pwalk_bindings {
namespace {

bool is_ascii(std::string_view characters) noexcept {
    constexpr std::uint64_t high_bits = 0x8080808080808080ULL;
    std::size_t i = 0;
    for (; i + 8 <= characters.size(); i += 8) {
        std::uint64_t word;
        std::memcpy(&word, characters.data() + i, 8);
        if ((word & high_bits) != 0) return false;
    }
    for (; i < characters.size(); ++i) {
        if ((static_cast<unsigned char>(characters[i]) & 0x80U) != 0) return false;
    }
    return true;
}

}  // namespace

// Every encoding that Python accepts for file systems has ASCII as a part.
nb::object to_str(std::string_view characters) {
    const auto size = static_cast<Py_ssize_t>(characters.size());
    PyObject* text = nullptr;
    if (is_ascii(characters)) {
        text = PyUnicode_New(size, 127);
        if (text != nullptr)
            std::memcpy(PyUnicode_DATA(text), characters.data(), characters.size());
    } else {
        text = PyUnicode_DecodeFSDefaultAndSize(characters.data(), size);
    }
    if (text == nullptr) throw nb::python_error();
    return nb::steal(text);
}

std::string_view plain_characters(nb::handle text, bool as_bytes) noexcept {
    PyObject* object = text.ptr();
    if (as_bytes) {
        if (!PyBytes_CheckExact(object)) return {};
        return {PyBytes_AS_STRING(object), static_cast<std::size_t>(PyBytes_GET_SIZE(object))};
    }
    if (!PyUnicode_CheckExact(object) || !PyUnicode_IS_COMPACT_ASCII(object)) return {};
    return {static_cast<const char*>(PyUnicode_DATA(object)),
            static_cast<std::size_t>(PyUnicode_GET_LENGTH(object))};
}

std::string encode_path(nb::handle path) {
    PyObject* encoded = nullptr;
    if (PyUnicode_FSConverter(path.ptr(), &encoded) == 0) throw nb::python_error();
    return to_string(nb::steal<nb::bytes>(encoded));
}

std::string encode_name(nb::handle name) {
    if (PyBytes_Check(name.ptr())) return to_string(nb::borrow<nb::bytes>(name));
    if (!PyUnicode_Check(name.ptr())) return {};
    const auto encoded = nb::steal<nb::bytes>(PyUnicode_EncodeFSDefault(name.ptr()));
    if (encoded.is_valid()) return to_string(encoded);
    PyErr_Clear();
    return {};
}

}  // namespace pwalk_bindings
